//! Dates as HTTP and cookies write them (RFC 9110 section 5.6.7, RFC 6265 section 5.1.1), as Unix milliseconds.

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`, with dashes too, as cookies of old had them.
pub fn parse(text: &str) -> Option<i64> {
    let (_, text) = text.split_once(", ")?;
    let mut parts = text.split([' ', '-']);
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<i64>().ok().filter(|n| *n <= 60));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let is_date = (1..=31).contains(&day) && (1..=9999).contains(&year) && hour < 24;
    is_date.then(|| (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

/// Days since 1970 of the Gregorian calendar, whose years here begin in March so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_what_it_says() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(parse("Thu, 01-Jan-1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199_000));
        for odd in ["", "now", "Sun, 06 Nov", "Sun, x Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 99:00:00 GMT"]
        {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
