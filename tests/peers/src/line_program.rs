//! A program of lines whose end is in our hands: a shell that carries its lines to a loopback port and back.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use crate::process::PATIENCE;

/// Both ways at once. Whichever side ends first, the program ends, with everything it started.
const SCRIPT: &str = "exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & cat <&0 >&3 & wait -n; exec 3>&-; kill 0";

/// The program, before it is started, and the run of it that was started last.
#[derive(Debug)]
pub struct LineProgram {
    port: u16,
    run: Arc<Run>,
}

#[derive(Debug, Default)]
struct Run {
    stream: Mutex<Option<TcpStream>>,
    started: Condvar,
}

impl LineProgram {
    /// A program that says what `hear` says to each line of JSON that it is told; `begin` is told of each start.
    pub fn new(
        begin: impl Fn() + Send + 'static,
        hear: impl Fn(&Value) -> Vec<Value> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let port = listener.local_addr().expect("the address of a bound listener").port();
        let run = Arc::new(Run::default());
        let shared = Arc::clone(&run);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                begin();
                let Ok(reader) = stream.try_clone() else { return };
                *shared.stream.lock().unwrap() = Some(stream);
                shared.started.notify_all();
                for line in BufReader::new(reader).lines().map_while(Result::ok) {
                    let said = serde_json::from_str(&line).expect("a line of JSON");
                    for answer in hear(&said) {
                        shared.say(&answer);
                    }
                }
                *shared.stream.lock().unwrap() = None;
            }
        });
        Self { port, run }
    }

    /// What it is started by.
    pub fn words(&self) -> Vec<String> {
        ["bash", "-c", SCRIPT, &self.port.to_string()].map(str::to_owned).to_vec()
    }

    /// Says a line, once it is started; that must be within half a minute.
    pub fn say(&self, said: &Value) {
        let stream = self.run.stream.lock().unwrap();
        let (stream, _) =
            self.run.started.wait_timeout_while(stream, PATIENCE, |stream| stream.is_none()).unwrap();
        drop(stream);
        self.run.say(said);
    }

    /// Ends the run of now, as if it broke down.
    pub fn die(&self) {
        if let Some(stream) = self.run.stream.lock().unwrap().take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Run {
    fn say(&self, said: &Value) {
        let mut stream = self.stream.lock().unwrap();
        let stream = stream.as_mut().expect("the program is started");
        // It may have been ended meanwhile.
        let _ = stream.write_all(format!("{said}\n").as_bytes());
    }
}

impl Drop for LineProgram {
    fn drop(&mut self) {
        self.die();
    }
}
