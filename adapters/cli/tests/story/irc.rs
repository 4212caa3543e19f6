//! IRC, against real servers: host masks on a plain one, services accounts over TLS on one that has them.

use dmgate_test_peers::{Inspircd, IrcClient, Ngircd};

use crate::program::{Program, code_in, secret_file};

/// One line, since IRC takes lines slowly.
const REPLY: &str = "[reply]\ntext = \"Pairing code: {code}\"\n";

/// Waits for a private message that holds `wanted`.
fn hears(client: &mut IrcClient, wanted: &str) -> String {
    client.expect(|line| line.contains(" PRIVMSG ") && line.contains(wanted))
}

/// A stranger writes and reads the code from the lines that come back.
fn knocks(client: &mut IrcClient, text: &str) -> String {
    client.privmsg("gate", text);
    let line = hears(client, "Pairing code:");
    code_in(line.split("Pairing code:").nth(1).unwrap())
}

#[test]
fn by_host_mask_where_the_owner_chose_it() {
    let server = Ngircd::start();
    let mut program = Program::configured(&format!(
        "[channels.irc]\nhost = \"127.0.0.1\"\nport = {}\ntls = false\nnick = \"gate\"\nidentity = \"hostmask\"\n{REPLY}",
        server.addr.port()
    ));
    program.run(&["irc"]);
    let mut ann = IrcClient::join(server.addr, "ann");
    let code = knocks(&mut ann, "May I come in?");
    let (mask, listed) = program.only_pending("irc");
    assert_eq!((mask.as_str(), &listed), ("ann!~ann@127.0.0.1", &code));
    program.done(&["pairing", "approve", "irc", &code]);
    ann.privmsg("gate", "first words");
    hears(&mut ann, "first words");

    // Another nick of the same machine is somebody else.
    let mut bob = IrcClient::join(server.addr, "bob");
    let other = knocks(&mut bob, "me too");
    assert_ne!(other, code);

    program.done(&["allow", "remove", "irc", &mask]);
    ann.privmsg("gate", "lost words");
    // Lines are taken in order: what comes back next answers what was written last.
    program.done(&["pairing", "approve", "irc", &other]);
    bob.privmsg("gate", "behind it");
    hears(&mut bob, "behind it");
    program.done(&["allow", "add", "irc", &mask]);
    ann.privmsg("gate", "last words");
    assert!(hears(&mut ann, "words").contains("last words"));
    program.end();
}

#[test]
fn by_services_account_and_by_nothing_else() {
    let network = Inspircd::start();
    network.register("gatebot", "secret-of-the-gate");
    network.register("ann", "secret-of-ann");
    let mut program = Program::configured(&format!(
        "[channels.irc]\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nnick = \"gate\"\n\
         sasl_user = \"gatebot\"\nsasl_password_file = \"SECRET\"\n{REPLY}",
        network.tls_addr.port(),
        network.ca_pem
    ));
    let secret = secret_file(&program.state(), "secret", "secret-of-the-gate\n");
    let path = program.state().join("dmgate.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"SECRET\"", &format!("{secret:?}"));
    std::fs::write(path, text).unwrap();
    program.run(&["irc"]);

    let mut ann = IrcClient::connect(network.addr);
    assert!(ann.authenticate("ann", "secret-of-ann"));
    ann.register("ann", "ann");
    let code = knocks(&mut ann, "May I come in?");
    assert_eq!(program.only_pending("irc"), ("account:ann".to_owned(), code.clone()));
    program.done(&["pairing", "approve", "irc", &code]);
    ann.privmsg("gate", "first words");
    hears(&mut ann, "first words");
    ann.send("QUIT");
    ann.expect(|line| line.starts_with("ERROR "));

    // The same nick, user and host without the account: not let in, and given no code.
    let mut impostor = IrcClient::join(network.addr, "ann");
    impostor.privmsg("gate", "it is me");
    let mut ann = IrcClient::connect(network.addr);
    assert!(ann.authenticate("ann", "secret-of-ann"));
    ann.register("ann2", "ann");
    ann.privmsg("gate", "under another nick");
    hears(&mut ann, "under another nick");
    assert!(program.pending("irc").is_empty());
    // What the impostor hears next is not ours: the server's answer to a question of theirs.
    impostor.send("PING :done");
    impostor.expect(|line| line.contains("PONG"));
    assert!(!impostor.seen().iter().any(|line| line.contains(" PRIVMSG ")), "{:?}", impostor.seen());

    program.done(&["allow", "remove", "irc", "account:ann"]);
    assert_eq!(program.reason("irc", "account:ann"), "hour_used");
    ann.privmsg("gate", "lost words");
    ann.send("PING :taken");
    ann.expect(|line| line.contains("PONG"));
    program.done(&["allow", "add", "irc", "account:ann"]);
    ann.privmsg("gate", "last words");
    assert!(hears(&mut ann, "words").contains("last words"));
    program.end();
}
