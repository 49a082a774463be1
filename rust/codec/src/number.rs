//! Digits to the float that is nearest to them.

/// The number that eight digits spell, worked out by halves (D. Lemire, "Quickly parsing eight
/// digits").
#[inline]
pub fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(text);
    let all_digits = (word & 0xf0f0_f0f0_f0f0_f0f0)
        | ((word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) >> 4);
    if all_digits != 0x3333_3333_3333_3333 {
        return None;
    }
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    Some((fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32)
}

/// `digits / 10**scale`, rounded once, to nearest even; None where that takes more than 128 bits.
#[inline]
pub fn decimal(digits: u64, scale: usize) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    const POWERS: [u64; 20] = {
        let mut powers = [1; 20];
        let mut scale = 1;
        while scale < 20 {
            powers[scale] = powers[scale - 1] * 10;
            scale += 1;
        }
        powers
    };
    let power = *POWERS.get(scale)?;
    if scale == 0 || digits == 0 {
        return Some(digits as f64);
    }
    if digits <= EXACT && scale <= 22 && power <= EXACT {
        return Some(digits as f64 / power as f64);
    }
    // Both with their highest bit set, the quotient has 63 or 64 bits. What is left of the
    // division only has to be told from nothing, in a bit far below those that are kept.
    let (up, down) = (digits.leading_zeros(), power.leading_zeros());
    let (top, bottom) = (u128::from(digits << up) << 63, u128::from(power << down));
    let quotient = (top / bottom) as u64 | u64::from(top % bottom != 0);
    let exponent = u64::from(1023 + down - up - 63);
    Some(quotient as f64 * f64::from_bits(exponent << 52))
}
