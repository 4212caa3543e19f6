//! Another process changes a list and says so; the next decision must know.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use dmgate::{Freshness, World};

use crate::scene;
use crate::table::{Line, Table};

const TIMES: usize = 2_000;

/// Names the state directory to a program that was started to change the list.
pub(crate) const WRITER: &str = "DMGATE_BARS_WRITER";

pub(crate) fn lines(table: &mut Table) {
    let dir = tempfile::tempdir().unwrap();
    let gate = scene::open(dir.path(), Freshness::Exact, World::default());
    let runtime = scene::runtime();
    let message = scene::hello(&scene::account(0), &scene::known(0));
    let mut writer = Command::new(std::env::current_exe().unwrap());
    writer.env(WRITER, dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = writer.spawn().unwrap();
    let (mut orders, mut done) =
        (writer.stdin.take().unwrap(), BufReader::new(writer.stdout.take().unwrap()));
    let mut right = 0;
    for number in 0..TIMES {
        let is_in = number % 2 == 0;
        orders.write_all(if is_in { b"in\n" } else { b"out\n" }).unwrap();
        done.read_line(&mut String::new()).unwrap();
        let admitted = runtime.block_on(gate.admit(&message)).reason().as_str() == "allowlisted";
        right += usize::from(admitted == is_in);
    }
    drop(orders);
    assert!(writer.wait().unwrap().success());
    table.add(Line::all("change by another process, exact: seen at once", right, TIMES));
}

/// What the line starts.
pub(crate) fn write(state: &str) {
    for order in std::io::stdin().lines() {
        let who = (order.unwrap() == "in").then(|| scene::known(0));
        scene::list(state.as_ref(), &scene::account(0), who.into_iter().chain([scene::known(1)]));
        println!("done");
    }
}
