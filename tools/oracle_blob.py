"""Reads a blob as AbacusFormat.docc describes it, and nothing else of the project.

Values are int64 arrays that stand for narrower registers; `Memory` is the arena of many samples at once.
"""

import struct
import zlib

import numpy as np

TYPES = {1: np.dtype("<i1"), 2: np.dtype("<u1"), 3: np.dtype("<i2"), 4: np.dtype("<i4")}
CONSTANT, STATE = 2, 3
EMPTY = 0xFFFF
PAIRED, CODES = 4, 5


class Tensor:
    """A tensor record."""

    def __init__(self, index, name, record):
        self.index, self.name = index, name
        (kind, self.placement, rank, self.layout, self.offset, self.byte_count) = struct.unpack_from("<4B2I", record)
        self.type, self.bits = TYPES.get(kind), {5: 4, 6: 2}.get(kind)
        self.shape = struct.unpack_from("<6I", record, 12)[:rank]
        self.zero_point, _, flags, self.block_rows, self.block_columns, self.auxiliary = struct.unpack_from(
            "<hbBBBH", record, 40
        )
        # Blocks of rows, and lines of images.
        self.is_block = flags in (1, 2)

    @property
    def count(self):
        """Elements of the whole."""
        return int(np.prod(self.shape, dtype=np.int64))


class Operator:
    """An operator record with the bytes that its parameters begin with."""

    def __init__(self, record, parameters):
        self.opcode, self.variant, _, offset = struct.unpack_from("<BBHI", record)
        self.slots = struct.unpack_from("<14H", record, 20)
        self.parameters = parameters[offset:]


class Blob:
    """The sections of a blob, taken apart."""

    def __init__(self, data):
        header = data[:128]
        magic, version, _, size = struct.unpack_from("<IHHI", header)
        if magic != 0x43414241 or version != 1 or size > len(data):
            raise ValueError("no blob of version 1, or not all of it")
        data = data[:size]
        if zlib.crc32(data[128:], zlib.crc32(header[:120])) != struct.unpack_from("<I", header, 124)[0]:
            raise ValueError("the checksum of the content is wrong")
        self.arena_bytes = struct.unpack_from("<I", header, 16)[0]
        tensors, operators, inputs, outputs = struct.unpack_from("<IIHH", header, 32)
        position, self.position_step, self.position_limit = struct.unpack_from("<HHI", header, 112)
        self.position = position - 1 if position else None
        sections = [struct.unpack_from("<II", header, 48 + 8 * i) for i in range(8)]
        parts = [data[offset : offset + length] for offset, length in sections]
        self.constants = parts[4]
        self.tensors = [
            Tensor(i, name(parts[5], i), parts[0][48 * i : 48 * i + 48]) for i in range(tensors)
        ]
        self.operators = [Operator(parts[1][48 * i : 48 * i + 48], parts[2]) for i in range(operators)]
        boundary = struct.unpack(f"<{inputs + outputs}H", parts[3])
        self.inputs = [self.tensors[i] for i in boundary[:inputs]]
        self.outputs = [self.tensors[i] for i in boundary[inputs:]]
        self.states = [t for t in self.tensors if t.placement == STATE]

    def constant(self, tensor):
        """The elements of a constant, row-major whatever its layout."""
        raw = self.constants[tensor.offset : tensor.offset + tensor.byte_count]
        if tensor.layout == CODES:
            return codes(np.frombuffer(raw, "<u4").astype(np.int64), tensor).reshape(tensor.shape)
        values = np.frombuffer(raw, tensor.type).astype(np.int64)
        if tensor.layout == 1:
            values = unblocked(values, tensor)
        return values.reshape(tensor.shape)


def name(section, index):
    """The name of a tensor; empty where names are stripped."""
    if not section:
        return ""
    start = struct.unpack_from("<I", section, 4 * index)[0]
    return section[start : section.index(b"\0", start)].decode()


def unblocked(values, tensor):
    """Weights [N, K] out of blocks of nr x kr."""
    n, k = tensor.shape[0], tensor.count // tensor.shape[0]
    if tensor.layout == PAIRED:
        # Of a block: k % 2, k / 2, n % 2.
        blocks = values.reshape(-(-n // 2), -(-k // 4), 2, 2, 2).transpose(0, 4, 1, 3, 2)
        return blocks.reshape(-(-n // 2) * 2, -1)[:n, :k]
    nr, kr = tensor.block_rows, tensor.block_columns
    blocks = values.reshape(-(-n // nr), -(-k // kr), nr, kr).transpose(0, 2, 1, 3)
    return blocks.reshape(blocks.shape[0] * nr, -1)[:n, :k]


def codes(words, tensor):
    """The values of codes [N, K]."""
    n, k = tensor.shape[0], tensor.count // tensor.shape[0]
    count = 32 // tensor.bits
    words = words.reshape(-(-n // 2), -(-k // count), 2).transpose(0, 2, 1).reshape(-1, -(-k // count))[:n]
    j = np.arange(count)
    places = j // 2 % 2 * 16 + (j // 4 * 2 + j % 2) * tensor.bits
    fields = (words[:, :, None] >> places & (1 << tensor.bits) - 1).reshape(n, -1)[:, :k]
    grid = tensor.block_columns
    return {1: fields - (1 << tensor.bits - 1), 2: 2 * fields + 1 - (1 << tensor.bits), 3: fields}[grid]


class Memory:
    """The arenas of some samples.

    Loops are ignored: each operator makes all its units at once. Of a block of rows, or of lines, there is
    therefore the whole, found by its offset, apart from the arena.
    """

    def __init__(self, blob, samples):
        self.blob, self.samples = blob, samples
        self.arena = np.zeros((samples, blob.arena_bytes), np.uint8)
        self.blocks = {}
        for state in blob.states:
            initial = np.full(state.shape, state.zero_point, np.int64)
            if state.auxiliary != EMPTY:
                initial = blob.constant(blob.tensors[state.auxiliary])
            self.write(state, np.broadcast_to(initial, (samples, *state.shape)))

    def read(self, tensor):
        """[samples, *shape]; constants are the same for all samples."""
        if tensor.placement == CONSTANT:
            return np.broadcast_to(self.blob.constant(tensor), (self.samples, *tensor.shape))
        if tensor.is_block:
            raw = self.blocks[tensor.offset]
            if raw.shape[1] != tensor.count * tensor.type.itemsize:
                raise ValueError(f"tensor {tensor.index} is not what lies at {tensor.offset}")
        else:
            raw = self.arena[:, tensor.offset : tensor.offset + tensor.byte_count]
        values = np.ascontiguousarray(raw).view(tensor.type).astype(np.int64)
        return values.reshape(self.samples, *tensor.shape)

    def write(self, tensor, values):
        """All elements of a tensor, which must fit its type."""
        limits = np.iinfo(tensor.type)
        if values.min() < limits.min or values.max() > limits.max:
            raise OverflowError(f"tensor {tensor.index} ({tensor.name}) does not fit {tensor.type}")
        raw = np.ascontiguousarray(values.reshape(self.samples, tensor.count).astype(tensor.type)).view(np.uint8)
        if tensor.is_block:
            self.blocks[tensor.offset] = raw
        else:
            self.arena[:, tensor.offset : tensor.offset + raw.shape[1]] = raw
