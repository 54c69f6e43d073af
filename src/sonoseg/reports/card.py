"""A model's card, made from the record inside its file and from nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from sonoseg.prediction.modelfile import licence
from sonoseg.prediction.predictor import NOTICE

Record = Mapping[str, Any]


def write(record: Record, checksum: str) -> str:
    """Write the card of a model as Markdown.

    record: what the model file says of itself. checksum: SHA-256 of the file, hexadecimal. What the record does not
    tell is left out; the same record gives the same text.
    """
    parts = (_head(record, checksum), _scores(record), _specks(record), _training(record), _limits(record))
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(record: Record, checksum: str) -> str:
    model = record["provenance"].get("model", {})
    confidence = record.get("least_confidence")
    network = f"{model['model']}, encoder {model['encoder'] or 'plain'}, width {model['width']}" if model else None
    rows = [
        ("network", network),
        ("input", f"one grey image of any size, fitted into {record['size']} x {record['size']} pixels"),
        ("output", f"probability and mask of {', '.join(record['classes'])} in the image's own size"),
        ("threshold", f"{record['threshold']:g}"),
        ("smallest lesion", f"{record['smallest_lesion']:.2%} of the image; smaller components are removed as specks"),
        (
            "least confidence",
            f"{confidence:.2f}; components of a lower mean probability go too" if confidence else None,
        ),
        ("mirror image", "predicted too, the mean is taken" if record.get("mirrored") else None),
        ("made by", record["provenance"].get("program")),
        ("licence of the weights", licence(record)),
        ("SHA-256 of the file", f"`{checksum}`"),
    ]
    return (
        f"# Model card: {record['name']}\n\n*Made from the record inside the model file by `sonoseg card`.* "
        f"**{NOTICE}**\n\nOutlines lesions in B-mode ultrasound images of the breast, for research: to measure, to "
        "pre-segment for a person who corrects, to compare with. It does not tell benign from malignant, and a mask is "
        "not a diagnosis.\n\n" + _table(("what", ""), ((name, value) for name, value in rows if value))
    )


def _scores(record: Record) -> str:
    scores = record.get("scores")
    if not scores:
        return "## Scores\n\nNone are recorded."
    lesion, normal = scores["lesion"], scores["normal"]
    rows = [
        (f"lesion Dice, {lesion['images']} images", _interval(lesion["dice"])),
        ("its median", f"{lesion['dice_median']:.3f}"),
        ("lesion IoU", _interval(lesion["iou"])),
        ("sensitivity, precision (pixels)", f"{_mean(lesion['sensitivity'])}, {_mean(lesion['precision'])}"),
        ("HD95, pixels", _interval(lesion["hd95"], digits=1)),
        (f"normals drawn on, of {normal['images']}", _interval(normal["drawn"], 100, 0, " %")),
        ("false components per image", f"{scores['detection']['false_per_image']:.2f}"),
        (
            f"lesion Dice of the most certain {scores['dice_of_most_certain']['share']:.0%}",
            _mean(scores["dice_of_most_certain"]),
        ),
        ("expected calibration error around the outline", f"{scores['calibration_error']:.3f}"),
        (
            "the published study's accuracy; nothing drawn",
            f"{scores['study_accuracy']:.1%}; {scores['nothing_study_accuracy']:.1%}",
        ),
    ]
    parts = [(f"fold {fold}", _interval(value)) for fold, value in scores["dice_by_fold"].items()]
    parts += [(label, _interval(value)) for label, value in scores["dice_by_class"].items()]
    return (
        f"## Scores\n\nBy cross-validation over the {scores['folds']} folds of {scores['set']} (near-duplicates kept "
        f"together; folds file SHA-256 `{scores['folds_sha256'][:16]}`...), of the recipe below, each image judged by "
        "a network that saw neither it nor a copy of it. The shipped weights are those of the same recipe on all "
        "images, so they were judged on none. Means over images at their own size; 95 % intervals by resampling groups "
        "of copies.\n\n"
        + _table(("measure", "value [95 %]"), rows)
        + "\n\nLesion Dice by part:\n\n"
        + _table(("part", "mean [95 %]"), parts)
    )


def _specks(record: Record) -> str:
    specks = record.get("scores", {}).get("specks")
    if not specks:
        return ""
    own = {name: record[name] for name in ("smallest_lesion", "least_confidence")}
    rows = [
        (
            f"{row['smallest_lesion']:.2%}",
            f"{row['least_confidence']:.2f}",
            f"{row['dice']:.4f}",
            "–" if row["drawn"] is None else f"{row['drawn']:.0%}",
        )
        for row in specks["tried"]
        if any(row[name] == value for name, value in own.items())
    ]
    chosen = ", ".join(
        f"{rule['smallest_lesion']:.2%} and {rule['least_confidence']:.2f}" for rule in specks["by_fold"].values()
    )
    return (
        f"## The rule for specks\n\n{specks['rule']} For the scores of a fold the pair was chosen on the other folds "
        f"({chosen}); for the shipped model on all.\n\n"
        + _table(("smallest lesion", "least confidence", "lesion Dice", "normals drawn on"), rows)
    )


def _training(record: Record) -> str:
    trained = record["trained_on"]
    lines = [
        f"- {each['set']}: {each['citation']} Licence: {each['licence']}" for each in _sets(record) if "set" in each
    ]
    if encoder := record.get("encoder_weights"):
        told = ", ".join(f"{key}: {value}" for key, value in encoder.items())
        lines.append(f"- weights that the encoder began with ({told})")
    settings = record["provenance"].get("settings", {})
    recipe = f"Recipe: {_recipe(settings)}."
    if before := settings.get("pretrained"):
        recipe += f"\n\nIt began with a network of the recipe: {_recipe(before)}."
    return (
        f"## Training\n\nOn {trained.get('images', 'unknown')} images; `sonoseg evaluate` refuses to judge this model "
        "on any of them.\n\n" + "\n".join(lines) + f"\n\n{recipe}"
    )


def _sets(record: Record) -> list[Record]:
    """The sets that a network was trained on, the main one first."""
    return [record["trained_on"], *record["trained_on"].get("also", [])]


def _recipe(settings: Mapping[str, Any]) -> str:
    told = {name: value for name, value in settings.items() if name != "pretrained" and value not in ("auto", "")}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _limits(record: Record) -> str:
    sets = [each["set"] for each in _sets(record) if "set" in each]
    share = "the share is above" if record.get("scores") else "on how many nobody has said"
    lines = [
        f"Trained on single images of {' and '.join(sets) or 'sets that it does not name'}; other scanners, probes, "
        "presets and populations will differ, and nobody has measured by how much for yours.",
        f"It draws on some images without a lesion ({share}). An outline is no proof of a lesion, an empty mask no "
        "proof of none.",
        "Circularity and depth-to-width of a mask depend on details of the outline that segmentation does not keep.",
    ]
    if "busi" in sets:
        lines += [
            "The masks of BUSI are noisy: one image outlined twice agrees at a mean Dice of 0.82.",
            "Calipers and text are burnt into 30 % of BUSI, more often beside a lesion; a network may lean on it.",
        ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _mean(value: Mapping[str, float | None]) -> str:
    return "–" if value["mean"] is None else f"{value['mean']:.3f}"


def _interval(value: Mapping[str, float | None], scale: float = 1, digits: int = 3, unit: str = "") -> str:
    if value["mean"] is None:
        return "–"
    mean, low, high = (
        None if value[key] is None else f"{value[key] * scale:.{digits}f}"  # type: ignore[operator]
        for key in ("mean", "low", "high")
    )
    return f"{mean}{unit}" if low is None else f"{mean} [{low}, {high}]{unit}"
