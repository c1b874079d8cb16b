"""Every operator of AbacusFormat.docc on whole tensors of many samples.

A function takes a `Call` and returns the elements of the output.
"""

import struct
from collections import namedtuple

import numpy as np

from oracle_arithmetic import (
    bit_length,
    exponential,
    narrow,
    power,
    product,
    quotient,
    reciprocal,
    requant,
    saturated,
    saturated_total,
    shift_exponential,
    square_root,
    weighted_sum,
)
from oracle_blob import CODES, EMPTY

OUTPUT, INPUT, SECOND, WEIGHTS, CHANNELS, SHIFTS, MASK, POSITION, GROUP_SCALES, GROUP_ZEROS, GROUP_COUNTS, GROUP_INDICES = (
    0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12)
VALUES = WEIGHTS

Exponent = namedtuple("Exponent", "unit octaves quotient_bits keeps_half_bit")


class Stage(namedtuple("Stage", "shift zero_point low high")):
    """The output stage."""

    def finish(self, value):
        return np.clip(value + self.zero_point, self.low, self.high)

    def apply(self, accumulator, m, s=None):
        return self.finish(requant(accumulator, m, self.shift if s is None else s))


class Call:
    """One operator with what it works on."""

    def __init__(self, memory, operator):
        self.memory, self.operator, self.variant = memory, operator, operator.variant
        self.samples = memory.samples

    def has(self, slot):
        return self.operator.slots[slot] != EMPTY

    def tensor(self, slot):
        return self.memory.blob.tensors[self.operator.slots[slot]]

    def read(self, slot, *shape):
        """[samples, *shape]; the tensor's own shape unless given."""
        values = self.memory.read(self.tensor(slot))
        return values.reshape(self.samples, *shape) if shape else values

    def constant(self, slot):
        return self.memory.blob.constant(self.tensor(slot))

    def weights(self):
        """What a product multiplies by: codes with the scales and zero points of their groups."""
        weights = self.constant(WEIGHTS)
        if self.has(GROUP_COUNTS):
            return self.groups(weights)
        if not self.has(GROUP_SCALES):
            return weights * self.tensor(WEIGHTS).block_rows if self.tensor(WEIGHTS).layout == CODES else weights
        n, size = weights.shape[0], self.tensor(WEIGHTS).auxiliary
        rows = weights.reshape(n, -1)
        group = np.arange(rows.shape[1]) // size
        rows = rows * self.constant(GROUP_SCALES)[:, group]
        if self.has(GROUP_ZEROS):
            rows = rows + 8 * self.constant(GROUP_ZEROS)[:, group]
        return rows.reshape(weights.shape)

    def groups(self, kept):
        """The matrix of which some groups are left out, with zeros for those."""
        (depth,) = self.integers(36, 1)
        counts = self.constant(GROUP_COUNTS).ravel()
        matrix = np.zeros((len(counts), -(-depth // 16), 16), np.int64)
        np.add.at(matrix, (np.repeat(np.arange(len(counts)), counts), self.constant(GROUP_INDICES).ravel()), kept)
        return matrix.reshape(len(counts), -1)[:, :depth]

    def rows(self, slot, length):
        return self.read(slot, -1, length)

    def integers(self, offset, count):
        """Signed words of the parameter record."""
        return struct.unpack_from(f"<{count}i", self.operator.parameters, offset)

    def stage(self, offset):
        return Stage(*self.integers(offset, 4))

    def exponent(self, offset):
        return Exponent(*self.integers(offset, 4))

    def channels(self):
        """First and second word of each channel."""
        return self.constant(CHANNELS).reshape(-1, 2).T

    def shifts(self, stage):
        """Each channel's own, or that of the stage."""
        return self.constant(SHIFTS).ravel() if self.has(SHIFTS) else np.int64(stage.shift)

    def position(self):
        """How many tokens the session has seen: the same in all samples."""
        return max(int(self.read(POSITION).flat[0]), 0) if self.has(POSITION) else 0


# Products


def linear(call, weight_zero_point=0):
    """Accumulators of rows times constant weights, and the multiplier of each channel."""
    weights = call.weights() - weight_zero_point
    weights = weights.reshape(weights.shape[0], -1)
    bias, m = call.channels()
    return narrow(product(call.rows(INPUT, weights.shape[1]), weights.T) + bias), m


def fully_connected(call):
    stage = call.stage(0)
    accumulator, m = linear(call, call.integers(16, 1)[0])
    return stage.apply(accumulator, m, call.shifts(stage))


def project(call):
    stage = call.stage(0)
    zero_point, multiplier, shift, branch_multiplier, branch_shift = call.integers(16, 5)
    accumulator, m = linear(call)
    if call.variant == 0:
        return stage.apply(accumulator, m, call.shifts(stage))
    residual = call.read(SECOND).reshape(accumulator.shape) - zero_point
    if call.variant == 1:
        return stage.finish(saturated(weighted_sum(accumulator, m, residual, multiplier, stage.shift)))
    branch = np.clip(requant(accumulator, m, call.shifts(stage)), -32768, 32767)
    return stage.finish(requant(branch, branch_multiplier, branch_shift) + requant(residual, multiplier, shift))


def taps(call, fill):
    """Each tap of the window with what it reads, [samples, batch, height, width, channels], and whether that
    lies inside of the image."""
    height, width, sy, sx, dy, dx, top, left = call.integers(0, 8)
    x = call.read(INPUT)
    rows, columns = call.tensor(OUTPUT).shape[1:3]
    for i in range(height):
        for j in range(width):
            y0 = np.arange(rows) * sy - top + i * dy
            x0 = np.arange(columns) * sx - left + j * dx
            inside = ((y0 >= 0) & (y0 < x.shape[2]))[:, None] & ((x0 >= 0) & (x0 < x.shape[3]))
            picked = x[:, :, np.clip(y0, 0, x.shape[2] - 1)][:, :, :, np.clip(x0, 0, x.shape[3] - 1)]
            yield i, j, np.where(inside[..., None], picked, fill), inside


def convolution(call):
    stage = call.stage(32)
    input_zero_point, weight_zero_point = call.integers(48, 2)
    weights = call.weights() - weight_zero_point
    bias, m = call.channels()
    channels = call.tensor(INPUT).shape[-1]
    groups = channels // weights.shape[-1]
    accumulator = 0
    for i, j, x, _ in taps(call, input_zero_point):
        parts = zip(np.split(x, groups, -1), np.split(weights[:, i, j], groups, 0))
        accumulator = accumulator + np.concatenate([product(a, w.T) for a, w in parts], -1)
    return stage.apply(accumulator + bias, m, call.shifts(stage))


def depthwise_convolution(call):
    stage = call.stage(32)
    input_zero_point, weight_zero_point = call.integers(48, 2)
    out = call.tensor(OUTPUT).shape[-1]
    height, width = call.integers(0, 2)
    weights = call.constant(WEIGHTS).reshape(height, width, out) - weight_zero_point
    bias, m = call.channels()
    source = np.arange(out) // (out // call.tensor(INPUT).shape[-1])
    accumulator = sum(x[..., source] * weights[i, j] for i, j, x, _ in taps(call, input_zero_point))
    return stage.apply(accumulator + bias, m, call.shifts(stage))


def strided(extents, strides, offset=0):
    """Indices of all elements that extents and strides reach, row-major."""
    index = np.int64(offset)
    for extent, stride in zip(extents, strides):
        index = np.asarray(index)[..., None] + np.arange(extent) * stride
    return index


def matrix_multiply(call):
    batch, strides_a, strides_b = call.integers(0, 4), call.integers(16, 4), call.integers(32, 4)
    rows, columns, depth, row_a, depth_a, column_b, depth_b, zero_a, zero_b, m = call.integers(48, 10)
    stage = call.stage(88)
    a = call.read(INPUT, -1)[:, strided([*batch, rows, depth], [*strides_a, row_a, depth_a])] - zero_a
    b = call.read(SECOND, -1)[:, strided([*batch, depth, columns], [*strides_b, depth_b, column_b])] - zero_b
    bias = call.constant(CHANNELS).ravel() if call.has(CHANNELS) else 0
    return stage.apply(product(a, b) + bias, m)


# Element by element


def operands(call):
    """Both inputs of a broadcasting operator, and what follows the zero points in its record."""
    dims, strides_a, strides_b = call.integers(0, 6), call.integers(24, 6), call.integers(48, 6)
    zero_a, zero_b, *rest = call.integers(72, 6)
    a = call.read(INPUT, -1)[:, strided(dims, strides_a)] - zero_a
    b = call.read(SECOND, -1)[:, strided(dims, strides_b)] - zero_b
    return a, b, *rest


def add(call):
    a, b, ma, mb, inner_shift, _ = operands(call)
    stage = call.stage(96)
    if call.operator.opcode == 26 and call.variant == 1:
        return stage.finish(saturated(requant(a, ma, inner_shift) + requant(b, mb, stage.shift)))
    return stage.finish(saturated(weighted_sum(a, ma, b, mb, stage.shift)))


def multiply(call):
    a, b, m, *_ = operands(call)
    return call.stage(96).apply(a * b, m)


def squared_difference(call):
    a, b, ma, mb, inner_shift, outer = operands(call)
    t = weighted_sum(a, ma, b, mb, inner_shift)
    return call.stage(96).apply(t * t, outer)


def extreme(call):
    a, b, ma, mb, *_ = operands(call)
    stage = call.stage(96)
    pick = np.maximum if call.operator.opcode == 8 else np.minimum
    return stage.finish(pick(requant(a, ma, stage.shift), requant(b, mb, stage.shift)))


def prelu(call):
    a, b, ma, mb, *_ = operands(call)
    stage = call.stage(96)
    return stage.finish(np.where(a >= 0, requant(a, ma, stage.shift), requant(a * b, mb, stage.shift)))


def table(call):
    return call.constant(WEIGHTS).ravel()[call.read(INPUT) + 128]


def requantize(call):
    zero_point, m = call.integers(0, 2)
    return call.stage(8).apply(call.read(INPUT) - zero_point, m)


# Windows and reductions


def max_pool(call):
    stage = call.stage(32)
    greatest = np.int64(-(2**31))
    for _, _, x, _ in taps(call, -(2**31)):
        greatest = np.maximum(greatest, x)
    return np.clip(greatest, stage.low, stage.high)


def average_pool(call):
    stage = call.stage(32)
    zero_point = call.integers(48, 1)[0]
    total, count = 0, 0
    for _, _, x, inside in taps(call, zero_point):
        total, count = total + (x - zero_point), count + inside
    reciprocals = call.constant(WEIGHTS).ravel()
    m = reciprocals[0] if len(reciprocals) == 1 else reciprocals[count - 1][..., None]
    return stage.apply(total, m)


def reduce(call):
    axes, zero_point, m = call.integers(0, 3)
    x = call.read(INPUT) - zero_point
    reduced = tuple(1 + i for i in range(x.ndim - 1) if axes >> i & 1)
    value = [np.sum, np.max, np.min][call.variant](x, axis=reduced)
    return call.stage(12).apply(value, m)


# Movement


def copy(call):
    dims, source_strides = call.integers(0, 6), call.integers(24, 6)
    destination_strides = call.integers(48, 6)
    source_offset, destination_offset, fill = call.integers(72, 3)
    target = call.tensor(OUTPUT)
    if call.variant == 1:
        word = np.array([fill], "<i4").view(target.type)[0]
        output = np.full((call.samples, target.count), word, np.int64)
    else:
        output = call.read(OUTPUT, -1)
    picked = call.read(INPUT, -1)[:, strided(dims, source_strides, source_offset)]
    if call.has(WEIGHTS):
        picked = call.constant(WEIGHTS).ravel()[picked + 128]
    output[:, strided(dims, destination_strides, destination_offset)] = picked
    return output


def gather(call):
    batch, outer, axis, count, inner = call.integers(0, 5)
    x = call.read(INPUT, batch, outer, axis, inner)
    indices = np.clip(call.read(SECOND, batch, 1, count, 1), 0, axis - 1)
    return np.take_along_axis(x, indices, 3)


def append(call):
    length = call.integers(0, 1)[0]
    state = call.rows(OUTPUT, length)
    for row, values in enumerate(np.moveaxis(call.rows(INPUT, length), 1, 0)):
        if call.position() + row < state.shape[1]:
            state[:, call.position() + row] = values
    return state


def embed(call):
    entries, length = call.integers(16, 2)
    indices = np.clip(call.read(INPUT, -1), 0, entries - 1)
    rows = call.constant(WEIGHTS).reshape(entries, length)[indices]
    return call.stage(0).apply(rows, call.constant(CHANNELS).ravel()[indices][..., None])


# Rows


def softmax(call):
    length, m, s = call.integers(0, 3)
    x = call.rows(INPUT, length)
    difference = x.max(-1, keepdims=True) - x
    is_narrow = call.tensor(OUTPUT).type.itemsize == 1
    if call.operator.opcode == 28 and call.variant == 1:
        p = call.exponent(12)
        e = shift_exponential(-difference, p.unit, p.octaves, p.keeps_half_bit)
        return quotient(e, saturated_total(e), p.quotient_bits)
    e = exponential(requant(difference, m, s), 20)
    r, bits = reciprocal(e.sum(-1, keepdims=True))
    if is_narrow:
        return np.minimum(requant(e, r, bits + 22), 255) - 128
    return np.minimum(requant(e, r, bits + 15), 32767)


def normalize(call):
    stage = call.stage(0)
    n, zero_point, low, high, root_start = call.integers(16, 5)
    x = call.rows(INPUT, n) - zero_point
    if call.variant == 2:
        return normalize_paper(call, stage, x, root_start)
    gain, offset = call.channels()
    epsilon = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
    total = x.sum(-1, keepdims=True)
    power_sum = n * (x * x).sum(-1, keepdims=True)
    if call.variant == 0:
        d, variance = n * x - total, power_sum - total * total + epsilon
    else:
        d, variance = n * x, power_sum + n * epsilon
    h = (62 - bit_length(variance)) // 2
    root = square_root(np.maximum(variance, 1) << 2 * h)
    inverse = np.where(variance == 0, 0, (2**61 - 1) // root)
    z = narrow((narrow(d) * narrow(inverse) + power(38 - h)) >> (39 - h))
    reach = int(np.abs(z).max()) * int(np.abs(gain).max()) + (int(np.abs(offset).max()) << 32)
    assert reach + 2 ** (stage.shift - 1) < 2**63
    return stage.finish((z * gain + offset * 2**32 + power(stage.shift - 1)) >> stage.shift)


def normalize_paper(call, stage, x, root_start):
    n = x.shape[-1]
    bias, m = call.channels()
    centred = x - (2 * x.sum(-1, keepdims=True) + n) // (2 * n)
    variance = (centred * centred).sum(-1, keepdims=True)
    root = power(np.full_like(variance, root_start) if root_start else bit_length(variance) // 2)
    for _ in range(10):
        root = np.where(root == 0, 0, (root + variance // np.maximum(root, 1)) // 2)
    factor = (2**31 - 1) // np.maximum(root, 1)
    return stage.apply((centred * factor >> 1) + bias, m, call.shifts(stage))


def activation(call):
    stage = call.stage(0)
    m, length, zero_point, input_multiplier, input_shift = call.integers(16, 5)
    x = call.rows(INPUT, length) - zero_point
    if call.variant == 1:
        p = call.exponent(36)
        slope = x if call.integers(52, 1)[0] else x + (x >> 1) + (x >> 3) + (x >> 4)
        greatest = slope.max(-1, keepdims=True)
        e = shift_exponential(slope - greatest, p.unit, p.octaves, p.keeps_half_bit)
        e0 = shift_exponential(-greatest, p.unit, p.octaves, p.keeps_half_bit)
        return stage.apply(x * quotient(e, np.minimum(e + e0, 2**31 - 1), p.quotient_bits), m)
    if input_shift:
        x = requant(x, input_multiplier, input_shift)
    x = np.clip(x, -32767, 32767)
    entries = call.constant(WEIGHTS).ravel()
    index, rest = np.abs(x) >> 5, np.abs(x) & 31
    left = entries[np.minimum(index, len(entries) - 1)]
    right = entries[np.minimum(index + 1, len(entries) - 1)]
    even = np.where(index >= len(entries) - 1, 0, left + ((right - left) * rest + 16 >> 5))
    return stage.apply(64 * np.maximum(x, 0) - even, m)


def rotary(call):
    stage = call.stage(0)
    heads, depth, positions, is_interleaved = call.integers(16, 4)
    x = call.read(INPUT, -1, heads, depth)
    m, s = call.channels()[..., None]
    entry = np.minimum(call.position() + np.arange(x.shape[1]), positions - 1)
    cosine, sine = np.moveaxis(call.constant(WEIGHTS).reshape(positions, 1, depth // 2, 2)[entry], -1, 0)
    pairs = np.arange(depth).reshape(-1, 2) if is_interleaved else np.arange(depth).reshape(2, -1).T
    a, b = x[..., pairs[:, 0]], x[..., pairs[:, 1]]
    output = np.empty_like(x)
    output[..., pairs[:, 0]] = stage.apply(a * cosine - b * sine, m, s)
    output[..., pairs[:, 1]] = stage.apply(a * sine + b * cosine, m, s)
    return output


# Attention


def attention(call):
    stage = call.stage(0)
    heads, groups, depth, value_depth, keys, is_causal, block = call.integers(16, 7)
    shared = np.arange(heads) // (heads // groups)
    query = call.read(INPUT, -1, heads, depth).transpose(0, 2, 1, 3)
    key = call.read(SECOND, keys, groups, depth)[:, :, shared].transpose(0, 2, 3, 1)
    value = call.read(VALUES, keys, groups, value_depth)[:, :, shared].transpose(0, 2, 1, 3)
    scores = narrow(product(query, key), 32)
    visible = np.ones(scores.shape, bool)
    if call.has(MASK):
        visible &= (call.read(MASK, keys) != 0)[:, None, None]
    if is_causal or call.has(POSITION):
        rows = call.position() + np.arange(scores.shape[2])
        visible &= np.arange(keys) <= rows[:, None]
    m1, s1, m2, s2 = call.constant(CHANNELS).reshape(heads, 4).T[..., None, None]
    scale = m1, np.clip(s1, 1, 62), m2, np.clip(s2, 1, 62)
    form = [attention_deferred, attention_online, attention_paper][call.variant]
    sums, m, s = form(scores, visible, value, scale, block, call.exponent(44))
    result = np.where(visible.any(-1, keepdims=True), stage.apply(sums, m, s), stage.zero_point)
    return result.transpose(0, 2, 1, 3)


def attention_deferred(scores, visible, value, scale, *_):
    m1, s1, m2, s2 = scale
    greatest = np.where(visible, scores, -(2**30)).max(-1, keepdims=True)
    difference = np.where(visible, greatest - scores, 0)
    e = np.where(visible, exponential(requant(difference, m1, s1), 15), 0)
    return product(e, value), *deferred_scale(e.sum(-1, keepdims=True), m2, s2)


def deferred_scale(total, m2, s2):
    """Multiplier and shift that divide by the sum of a row's exponentials."""
    r, bits = reciprocal(np.maximum(total, 1))
    m, s = requant(r, m2, 31), bits + s2 - 1
    while (s > 62).any():
        m, s = np.where(s > 62, (m + 1) >> 1, m), np.where(s > 62, s - 1, s)
    return m, s


def attention_online(scores, visible, value, scale, block, _):
    m1, s1, m2, s2 = scale
    t = np.clip(requant(scores, m1, s1), -(2**30), 2**30)
    total, octave, sums = np.int64(0), np.int64(0), np.int64(0)
    has_begun = np.zeros((*scores.shape[:3], 1), bool)
    for start in range(0, scores.shape[-1], block):
        part = np.s_[..., start : start + block]
        seen = visible[part].any(-1, keepdims=True)
        greatest = np.where(visible[part], t[part], -(2**30)).max(-1, keepdims=True)
        following = np.where(seen, -(-greatest >> 16), octave)
        following = np.where(has_begun, np.maximum(octave, following), following)
        grown = np.where(has_begun, following - octave, 0)
        total, sums = lowered(total, grown), lowered(sums, grown)
        octave, has_begun = following, has_begun | seen
        e = np.where(visible[part], exponential(np.maximum(octave * 2**16 - t[part], 0), 15), 0)
        total = total + e.sum(-1, keepdims=True)
        sums = sums + product(e, value[:, :, start : start + block])
    return sums, *deferred_scale(total, m2, s2)


def lowered(value, octaves):
    """floor((v + 2^(d - 1)) / 2^d) for d > 0; 0 for d > 30."""
    d = np.clip(octaves, 1, 30)
    return np.where(octaves > 30, 0, np.where(octaves > 0, (value + power(d - 1)) >> d, value))


def attention_paper(scores, visible, value, scale, _, p):
    m1, s1, m2, s2 = scale
    y = np.clip(requant(scores, m1, s1), -128, 127)
    greatest = np.where(visible, scores, -(2**30)).max(-1, keepdims=True)
    difference = y - np.clip(requant(greatest, m1, s1), -128, 127)
    e = np.where(visible, shift_exponential(difference, p.unit, p.octaves, p.keeps_half_bit), 0)
    return product(quotient(e, saturated_total(e), p.quotient_bits), value), m2, s2


OPERATORS = {
    1: fully_connected,
    2: convolution,
    3: depthwise_convolution,
    4: matrix_multiply,
    5: add,
    6: multiply,
    7: squared_difference,
    8: extreme,
    9: extreme,
    10: prelu,
    11: max_pool,
    12: average_pool,
    13: reduce,
    14: copy,
    15: gather,
    16: softmax,
    17: table,
    18: requantize,
    19: project,
    20: normalize,
    21: activation,
    22: attention,
    23: rotary,
    24: append,
    25: embed,
    26: add,
    27: multiply,
    28: softmax,
    29: project,
    30: convolution,
    31: project,
}
