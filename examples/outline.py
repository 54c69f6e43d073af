"""Outline a scan without sonoseg: python outline.py model.onnx scan.png mask.png (numpy, Pillow, ONNX Runtime)."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, scan, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
told = json.loads(session.get_modelmeta().custom_metadata_map["sonoseg"])
grey = ImageOps.exif_transpose(Image.open(scan)).convert("L")

size, longest = told["size"], max(grey.size)
columns, rows = (max(1, (2 * side * size + longest) // (2 * longest)) for side in grey.size)
top, left = (size - rows) // 2, (size - columns) // 2
frame = np.zeros((1, 1, size, size), np.float32)
frame[0, 0, top : top + rows, left : left + columns] = grey.resize((columns, rows), Image.Resampling.BILINEAR)
frames = np.concatenate((frame, frame[..., ::-1])) / 255 if told.get("mirrored") else frame / 255

names = [output.name for output in session.get_outputs() if output.name in ("logits", "presence")]
found = zip(names, session.run(names, {"image": frames}), strict=True)
answers = {name: 1 / (1 + np.exp(-values)) for name, values in found}
maps = answers["logits"][:, 0]
maps[1:] = maps[1:, :, ::-1]
inner = Image.fromarray(maps.mean(axis=0)[top : top + rows, left : left + columns])
probability = np.asarray(inner.resize(grey.size, Image.Resampling.BILINEAR))

present = answers.get("presence", np.ones(1)).mean() >= told.get("least_presence", 0)
mask = (probability >= told["threshold"]) & present
pixels = set(map(tuple, np.argwhere(mask).tolist()))
while pixels:
    component = [pixels.pop()]
    for row, column in component:  # it grows while it is walked through
        near = pixels & {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        component += near
        pixels -= near
    place = tuple(np.transpose(component))
    small = len(component) < told["smallest_lesion"] * mask.size
    if small or probability[place].mean(dtype=np.float64) < told.get("least_confidence", 0):
        mask[place] = False
Image.fromarray(mask.astype(np.uint8) * 255).save(out)
