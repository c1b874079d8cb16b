"""Gives the parameters of a packed vision transformer to the prototype of ../shared, which was written before
the packer and the runtime, and has it compute the residual stream.

usage: oracle_prototype.py SHARED BLOB INPUT.npy FOLDER

BLOB is `fmnist-vit` in refined arithmetic; INPUT holds uint8 images. FOLDER/output-0.npy becomes the logits,
output-1.npy and so on the residual after the attention and after the MLP of each block.
"""

import os
import sys

import numpy as np

from oracle_blob import CONSTANT, Blob
from oracle_operators import CHANNELS, INPUT, OUTPUT, SECOND, VALUES, WEIGHTS, Call

COPY, PROJECT, NORMALIZE, ACTIVATION, ATTENTION = 14, 19, 20, 21, 22


class Parts:
    """The operators of a blob as parts of the prototype's model."""

    def __init__(self, blob, prototype):
        self.prototype = prototype
        # Constants need no arena, hence no samples.
        self.calls = [Call(Parameters(blob), operator) for operator in blob.operators]

    def of(self, opcode):
        return [call for call in self.calls if call.operator.opcode == opcode]

    def writer(self, call, slot):
        """The operator that writes what a slot of another holds."""
        return next(c for c in self.calls if c.operator.slots[OUTPUT] == call.operator.slots[slot])

    def reader(self, call, opcode):
        """The operator of a kind that reads, as its first input, what a call writes."""
        written = call.operator.slots[OUTPUT]
        return next(c for c in self.of(opcode) if c.operator.slots[INPUT] == written)

    def linear(self, *calls):
        weights = np.concatenate([call.constant(WEIGHTS) for call in calls])
        bias = np.concatenate([call.channels()[0] for call in calls])
        bound = int((np.abs(weights).sum(1) * 128 + np.abs(bias)).max())
        assert bound < 2**31
        return dict(w=np.ascontiguousarray(weights.T), b=bias, bound=bound)

    def side_by_side(self, *calls):
        """One product of inputs that lie side by side: the queries of the last block are those of one token
        and come from a normalisation of their own."""
        result = self.linear(*calls)
        weights = [call.constant(WEIGHTS).T for call in calls]
        result["w"] = np.block([[w if i == j else np.zeros_like(w) for j in range(len(calls))]
                                for i, w in enumerate(weights)])
        return result

    def requant(self, *calls, low=-128, high=127):
        """Multiplier, shift and half of each channel."""
        m, s = [], []
        for call in calls:
            stage = call.stage(0)
            assert call.variant == 0 and tuple(stage[1:]) == (0, low, high), stage
            m.append(call.channels()[1])
            s.append(np.broadcast_to(call.shifts(stage), m[-1].shape).astype(np.int64))
        m, s = np.concatenate(m), np.concatenate(s)
        return m, s, np.left_shift(np.int64(1), s - 1)

    def residual(self, call):
        """Multipliers of the accumulator and of the residual, and their shift."""
        stage = call.stage(0)
        zero_point, multiplier = call.integers(16, 2)
        assert call.variant == 1 and zero_point == 0 and tuple(stage[1:]) == (0, -32768, 32767)
        return call.channels()[1], np.int64(multiplier), stage.shift

    def norm(self, call):
        stage = call.stage(0)
        _, zero_point, low, high, _ = call.integers(16, 5)
        assert call.variant == 0 and zero_point == 0 and tuple(stage[1:]) == (0, -128, 127)
        gain, offset = call.channels()
        epsilon = (high & 0xFFFFFFFF) << 32 | low & 0xFFFFFFFF
        return self.prototype.iref.Norm(gain, offset, stage.shift, epsilon)

    def gelu(self, call):
        """Every code of the prototype's grid through its own table, which must be the blob's."""
        stage, iref = call.stage(0), self.prototype.iref
        m, _, zero_point, _, input_shift = call.integers(16, 5)
        assert call.variant == 0 and zero_point == 0 and input_shift == 0
        assert np.array_equal(call.constant(WEIGHTS), self.prototype.ACT)
        values = iref.requant64(self.prototype.ACTQ, iref.Dyadic(m, stage.shift)) + stage.zero_point
        return np.clip(values, stage.low, stage.high)

    def block(self, attention):
        q, k, v = (self.writer(attention, slot) for slot in (INPUT, SECOND, VALUES))
        proj = self.reader(attention, PROJECT)
        norm2 = self.reader(proj, NORMALIZE)
        fc1 = self.reader(norm2, PROJECT)
        activation = self.reader(fc1, ACTIVATION)
        fc2 = self.reader(activation, PROJECT)
        assert attention.variant == 0 and tuple(attention.stage(0)[1:]) == (0, -128, 127)
        heads = attention.constant(CHANNELS).reshape(-1, 4).tolist()
        return dict(
            n1=[self.norm(self.writer(call, INPUT)) for call in (q, k, v)],
            qkv=self.side_by_side(q, k, v),
            qkv_rq=self.requant(q, k, v),
            qlim=(-128, 127),
            exp=[(m, s) for m, s, _, _ in heads],
            dv=[(m, s) for _, _, m, s in heads],
            proj=self.linear(proj),
            add1=self.residual(proj),
            n2=self.norm(norm2),
            fc1=self.linear(fc1),
            # The blob's activation clips at -32767, the prototype's does so here.
            g_in=self.requant(fc1, low=-32768, high=32767),
            g_lut=self.gelu(activation),
            fc2=self.linear(fc2),
            add2=self.residual(fc2),
        )

    def model(self):
        patches = next(c for c in self.of(PROJECT) if c.variant == 1 and c.tensor(SECOND).placement == CONSTANT)
        token = next(c for c in self.of(COPY) if c.tensor(INPUT).placement == CONSTANT)
        head = self.of(PROJECT)[-1]
        blocks = [self.block(attention) for attention in self.of(ATTENTION)]
        return dict(
            cfg=dict(self.prototype.BASE),
            alim=(-128, 127),
            rlim=(-32768, 32767),
            pe=self.linear(patches),
            pos=patches.constant(SECOND),
            pe_add=self.residual(patches),
            cls=token.constant(INPUT).ravel(),
            blk=blocks,
            nf=self.norm(self.of(NORMALIZE)[-1]),
            head=self.linear(head),
            head_rq=self.requant(head, low=-32768, high=32767),
        )


class Parameters:
    """A memory of no samples, for calls that only read parameters."""

    def __init__(self, blob):
        self.blob, self.samples = blob, 0


def main():
    shared, path, images, folder = sys.argv[1:]
    sys.path.insert(0, os.path.join(shared, "prototype"))
    import vit_int

    vit_int.CHECK = True
    with open(path, "rb") as file:
        model = Parts(Blob(file.read()), vit_int).model()
    sums = []
    add, normalize = vit_int.add2, vit_int.layernorm

    def recorded(*arguments):
        sums.append(add(*arguments))
        return sums[-1]

    def normalized(x, norms, low, high):
        if not isinstance(norms, list):
            return normalize(x, norms, low, high)
        return np.concatenate([normalize(x, norm, low, high) for norm in norms], -1)

    vit_int.add2, vit_int.layernorm = recorded, normalized
    pixels = np.load(images).reshape(-1, 28, 28)
    logits = vit_int.forward(model, pixels)
    os.makedirs(folder, exist_ok=True)
    # The first sum is that of patches and positions.
    for index, values in enumerate([logits, *sums[1:]]):
        np.save(os.path.join(folder, f"output-{index}.npy"), values.astype(np.int16))


if __name__ == "__main__":
    main()
