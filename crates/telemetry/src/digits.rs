//! Numbers as digits. The formatting of the standard library costs several times more, and each request writes some.

/// Appends a number in decimal digits, at least `width` of them.
pub fn push_decimal(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// Appends a number in 16 hexadecimal digits, in lower case.
pub fn push_hex(text: &mut String, number: u64) {
    let digit = |at| b"0123456789abcdef"[(number >> (60 - 4 * at)) as usize & 0xf];
    text.extend((0..16).map(|at| char::from(digit(at))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 7, 10, 999, 1_000, u64::MAX] {
            for width in [1, 3, 20] {
                let mut out = Vec::new();
                push_decimal(&mut out, number, width);
                assert_eq!(String::from_utf8(out).unwrap(), format!("{number:0width$}"));
            }
        }
        for number in [0, 1, 0xa5, u64::MAX - 1] {
            let mut text = String::new();
            push_hex(&mut text, number);
            assert_eq!(text, format!("{number:016x}"));
        }
    }
}
