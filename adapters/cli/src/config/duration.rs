//! Durations as people write them.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Parses `1h`, `5m`, `1m30s`, `200ms`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at_checked(end)?;
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.checked_mul(*worth)?)?;
        rest = after;
    }
    Some(Duration::from_millis(millis))
}

/// Writes a duration in its largest whole unit.
pub(crate) fn write(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().rev().find(|(_, worth)| millis > 0 && millis % worth == 0);
    let (unit, worth) = whole.copied().unwrap_or(("s", 1_000));
    format!("{}{unit}", millis / worth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in
            [("1h", 3_600_000), ("5m", 300_000), (" 200ms ", 200), ("1m30s", 90_000), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in
            ["", "5", "m", "5 m", "-1s", "1.5h", "5min", "1e3s", "99999999999999999999s", "300000000000000d"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for text in ["1h", "5m", "200ms", "90s", "0s", "2d"] {
            assert_eq!(write(parse(text).unwrap()), text);
        }
    }
}
