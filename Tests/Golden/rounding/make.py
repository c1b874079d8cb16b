"""Writes rounding.json beside itself: what the numpy prototype (wquant.py, qall.py) rounds small weights to.
Usage: python3 make.py FOLDER-OF-PROTOTYPE"""
import json, os, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import wquant as W


def round_scales(s, z, kind, per_channel):
    """As the prototype's, but zero points are int8 in 16ths of the channel's scale."""
    s = np.maximum(s, 1e-3 * s.max())
    if per_channel: return s[:, 0], None, None
    S = s.max(1) * 128 / 255
    if kind == 'asym': S = np.maximum(S, np.abs(z).max(1) * 16 / 127)
    u = np.clip(np.floor(s / S[:, None] * 128 + .5), 1, 255)
    return S, u, 8 * np.clip(np.floor(z / S[:, None] * 16 + .5), -128, 127)


W.round_scales = round_scales
random = np.random.default_rng(5)
N, K, ROWS = 8, 32, 24
mix = np.eye(K) + 0.4 * random.standard_normal((K, K))
x = np.round(random.standard_normal((ROWS, K)) @ mix * 6 + 3) / 8
y = x + np.round(random.standard_normal((ROWS, K)) * 2) / 8
w = np.round(random.standard_normal((N, K)) * random.uniform(.3, 2, (N, 1)), 3)
H = (y - y.mean(0)).T @ (y - y.mean(0)) / ROWS
C = (x - x.mean(0)).T @ (y - y.mean(0)) / ROWS
d = 0.01 * np.mean(np.diag(H))
T = w @ (C + d * np.eye(K)) @ np.linalg.inv(H + d * np.eye(K))
quads = np.abs(w * np.sqrt(np.diag(H))).reshape(N, K // 4, 4)
mask = (np.argsort(np.argsort(-quads, 2), 2) < 2).reshape(N, K)

cases = []
for bits, group, kind in [(4, None, 'sym'), (4, 16, 'sym'), (2, 16, 'odd'), (2, 16, 'asym')]:
    for method in ['nearest', 'gptq', 'alt']:
        for masked in [False, True]:
            if masked and (kind != 'sym' or not group or method == 'nearest'): continue
            # Channel by channel: the prototype keeps the best round of all channels together.
            q = [W.quant(w[n:n + 1], H, bits, group, kind, method, mask=mask[n:n + 1] if masked else None) for n in range(N)]
            cases.append(dict(
                bits=bits, group=group or 0, grid=dict(sym='symmetric', odd='odd', asym='offset')[kind],
                method=dict(nearest='nearest', gptq='compensated', alt='alternating')[method], masked=masked,
                integers=[int(v) for c in q for v in c.W[0]], units=[float('%.12g' % c.S[0]) for c in q]))
last = cases[-1]
rounded = np.reshape(last['integers'], (N, K)) * np.array(last['units'])[:, None]
out = dict(
    weights=w.ravel().tolist(), x=(x * 8).astype(int).ravel().tolist(), y=(y * 8).astype(int).ravel().tolist(),
    kept=''.join('01'[int(v)] for v in mask.ravel()), target=[float('%.12g' % v) for v in T[:2].ravel()],
    biasCorrection=(w @ x.mean(0) - rounded @ y.mean(0)).tolist(), cases=cases)
name = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'rounding.json')
open(name, 'w').write(json.dumps(out, separators=(',', ':')) + '\n')
