//! The cookie that makes a visitor the same one as before.
//!
//! It can be planted on a browser only by whoever may set cookies for our host:
//!
//! * by https its name begins with `__Host-`, so browsers take it from our own host alone, never from a neighbour under
//!   the same domain. (That needs `Path=/`; the web hooks drop cookies.)
//! * by http, on loopback, any program of the machine that serves a page could set it; but such a program could as well
//!   read the browser's profile.
//!
//! A request with two of them is one with none: one of the two was planted.

use dmgate_channels::webchat::Session;
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderValue, header};

use crate::site::Site;

fn name(site: &Site) -> &'static str {
    if site.is_https { "__Host-dmgate-chat" } else { "dmgate-chat" }
}

/// The session of a request; a value that is not of our form is none.
pub(super) fn session_of(headers: &HeaderMap, site: &Site) -> Option<Session> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut ours = pairs.filter(|(key, _)| key.trim() == name(site)).map(|(_, value)| value.trim());
    let value = ours.next()?;
    ours.next().is_none().then(|| Session::parse(value)).flatten()
}

/// The header that gives a browser its session for a year from now.
pub(super) fn of(session: &Session, site: &Site) -> Result<HeaderValue, InvalidHeaderValue> {
    let scope = if site.is_https { "Path=/; Secure" } else { "Path=/chat" };
    let cookie =
        format!("{}={}; {scope}; Max-Age=31536000; HttpOnly; SameSite=Strict", name(site), session.reveal());
    let mut cookie = HeaderValue::from_str(&cookie)?;
    // Not shown by `Debug`, wherever the header goes.
    cookie.set_sensitive(true);
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use crate::site::{PublicUrl, Sites};

    use super::*;

    fn site(host: &str) -> Site {
        let public: PublicUrl = "https://gate.example.org".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        let uri = "/chat".parse().unwrap();
        Sites::new(80, Some(&public)).check(&http::Method::GET, &uri, &headers).unwrap()
    }

    fn session(site: &Site, lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        session_of(&headers, site).is_some()
    }

    #[test]
    fn one_well_formed_cookie_is_a_session() {
        let (local, public) = (site("localhost"), site("gate.example.org"));
        let value = "A".repeat(43);
        let (plain, host) = (format!("dmgate-chat={value}"), format!("__Host-dmgate-chat={value}"));
        assert!(session(&local, &[&format!("a=b; {plain};c")]) && session(&public, &[&host]));
        assert!(!session(&public, &[&plain]), "a neighbour could have set it");
        assert!(!session(&local, &[&format!("{plain}; {plain}")]) && !session(&local, &[&plain, &plain]));
        assert!(!session(&local, &[]) && !session(&local, &["dmgate-chat="]));
        assert!(!session(&local, &[&format!("dmgate-chat=\"{value}\"")]));
    }

    #[test]
    fn i12_a_cookie_is_not_shown() {
        let session = Session::parse(&"A".repeat(43)).unwrap();
        let cookie = of(&session, &site("gate.example.org")).unwrap();
        assert_eq!(
            cookie.to_str().unwrap().split_once("; ").unwrap().1,
            "Path=/; Secure; Max-Age=31536000; HttpOnly; SameSite=Strict"
        );
        assert!(!format!("{cookie:?}").contains("AAAA"));
        let cookie = of(&session, &site("localhost")).unwrap();
        assert!(cookie.to_str().unwrap().contains("; Path=/chat; Max-Age"));
    }
}
