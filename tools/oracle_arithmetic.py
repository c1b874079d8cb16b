"""The arithmetic of the runtime on int64 arrays, by its definition; every register's width is asserted."""

import numpy as np

INT32_MAX = 2**31 - 1


def narrow(x, bits=32):
    """x, which must fit a signed register of so many bits."""
    x = np.asarray(x, np.int64)
    if x.size and (int(x.min()) < -(1 << (bits - 1)) or int(x.max()) >= 1 << (bits - 1)):
        raise OverflowError(f"[{x.min()}, {x.max()}] does not fit {bits} bits")
    return x


def saturated(x):
    """x, saturated to 32 bits."""
    return np.clip(x, -(2**31), INT32_MAX)


def power(exponent):
    """2^exponent, for 0 to 62."""
    return np.left_shift(np.int64(1), np.asarray(exponent, np.int64))


def requant(x, m, s):
    """floor((x * m + 2^(s - 1)) / 2^s), one rounding, saturated to 32 bits."""
    x, m, s = narrow(x), narrow(m), np.asarray(s, np.int64)
    assert s.min() >= 1 and s.max() <= 62
    return saturated((x * m + power(s - 1)) >> s)


def weighted_sum(a, ma, b, mb, s):
    """floor((a * ma + b * mb + 2^(s - 1)) / 2^s)."""
    a, b, ma, mb = narrow(a), narrow(b), narrow(ma), narrow(mb)
    reach = int(np.abs(a).max()) * int(np.abs(ma).max()) + int(np.abs(b).max()) * int(np.abs(mb).max())
    assert reach + 2 ** (s - 1) < 2**63
    return (a * ma + b * mb + power(s - 1)) >> s


def product(x, w):
    """x @ w, in doubles where they are exact and fast."""
    assert max(int(np.abs(x).max()), 1) * max(int(np.abs(w).max()), 1) * x.shape[-1] < 2**53
    return (x.astype(np.float64) @ w.astype(np.float64)).astype(np.int64)


def bit_length(x):
    """Of numbers from 0 to below 2^63."""
    return sum((x >> bit > 0).astype(np.int64) for bit in range(63))


def square_root(x):
    """The square root of numbers below 2^62, rounded down."""
    root = np.floor(np.sqrt(x.astype(np.float64))).astype(np.int64)
    root = root - (root * root > x)
    return root + ((root + 1) * (root + 1) <= x)


def exponential(t, fraction_bits):
    """2^-t for t on Q16, on so many fraction bits (15 or 20), rounded; 0 below half a step."""
    limit = (fraction_bits + 1) << 16
    t = np.minimum(t, limit)
    q, f = t >> 16, t & 0xFFFF
    u = f * (2**16 - f)
    w = (49 * 2**16 - 10 * f) * 2**6
    e = 2**30 - f * 2**13 - (u * w >> 32)
    shift = 30 - fraction_bits + q
    e = np.where(t >= limit, 0, (e + power(shift - 1)) >> shift)
    return np.minimum(e, 32767) if fraction_bits == 15 else e


def reciprocal(total):
    """Mantissa of 31 bits and bit length of positive sums below 2^32."""
    length = bit_length(total)
    return np.minimum(power(length + 30) // total, INT32_MAX), length


def shift_exponential(d, unit, octaves, keeps_half_bit):
    """ShiftExp of I-ViT: about 2^octaves * unit * e^(d / unit)."""
    p = np.maximum(d + (d >> 1) - (d >> 4), -octaves * unit)
    q = -p // unit
    r = -p - q * unit
    shift = np.minimum(octaves - q, 36)
    if keeps_half_bit:
        e = (2 * unit - r) * power(shift) >> 1
    else:
        e = (unit + (-r >> 1)) * power(shift)
    return np.minimum(e, INT32_MAX)


def quotient(a, b, bits):
    """IntDiv of I-ViT."""
    return a * (INT32_MAX // np.maximum(b, 1)) >> (32 - bits)


def saturated_total(e):
    """Sums of exponentials along the last dimension."""
    return np.minimum(e.sum(-1, keepdims=True), INT32_MAX)
