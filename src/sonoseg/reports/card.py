"""A model's card, made from the record inside its file and from nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from sonoseg.prediction.predictor import NOTICE
from sonoseg.prediction.record import Record, licence
from sonoseg.reports.figures import figure, number, percent, short
from sonoseg.reports.table import markdown


def write(record: Record, checksum: str) -> str:
    """Write the card of a model as Markdown.

    record: what the model file says of itself. checksum: SHA-256 of the file, hexadecimal. What the record does not
    tell is left out; the same record gives the same text.
    """
    parts = (_head(record, checksum), _scores(record), _specks(record), _training(record), _limits(record))
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _head(record: Record, checksum: str) -> str:
    model = record["provenance"].get("model", {})
    confidence = record.get("least_confidence")
    network = f"{model['model']}, encoder {model['encoder'] or 'plain'}, width {model['width']}" if model else None
    smallest = percent(record["smallest_lesion"], 2)
    rows = [
        ("network", network),
        ("input", f"one grey image of any size, fitted into {record['size']} x {record['size']} pixels"),
        ("output", f"probability and mask of {', '.join(record['classes'])} in the image's own size"),
        ("threshold", short(record["threshold"])),
        ("smallest lesion", f"{smallest} of the image; smaller components are removed as specks"),
        (
            "least confidence",
            f"{number(confidence, 2)}; components of a lower mean probability go too" if confidence else None,
        ),
        (
            "least presence",
            f"{number(silence, 2)}; in an image of a lower one nothing is drawn (`--presence` sets another)"
            if (silence := record.get("least_presence"))
            else None,
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
        "not a diagnosis.\n\n" + markdown(("what", ""), [(name, value) for name, value in rows if value])
    )


def _scores(record: Record) -> str:
    scores = record.get("scores")
    if not scores:
        return "## Scores\n\nNone are recorded."
    lesion, normal = scores["lesion"], scores["normal"]
    certain = scores["dice_of_most_certain"]
    rows = [
        (f"lesion Dice, {lesion['images']} images", figure(lesion["dice"])),
        ("its median", number(lesion["dice_median"])),
        ("lesion IoU", figure(lesion["iou"])),
        (
            "sensitivity, precision (pixels)",
            f"{number(lesion['sensitivity']['mean'])}, {number(lesion['precision']['mean'])}",
        ),
        ("HD95, pixels: mean, an image without a drawing counts its diagonal", figure(lesion["hd95"], 1)),
        *_more_hd95(lesion),
        (f"normals drawn on, of {normal['images']}", figure(normal["drawn"], 0, shares=True)),
        *_presence(scores),
        *_diameter(scores),
        ("false components per image", number(scores["detection"]["false_per_image"], 2)),
        (f"lesion Dice of the most certain {percent(certain['share'], 0)}", number(certain["mean"])),
        *_kept_of_all(scores),
        ("expected calibration error around the outline", _calibration(scores)),
        (
            "the published study's accuracy; nothing drawn",
            f"{percent(scores['study_accuracy'])}; {percent(scores['nothing_study_accuracy'])}",
        ),
    ]
    parts = [(f"fold {fold}", figure(value)) for fold, value in scores["dice_by_fold"].items()]
    parts += [(label, figure(value)) for label, value in scores["dice_by_class"].items()]
    rule = f" {scores['drawn_rule']}" if "drawn_rule" in scores else ""
    return (
        f"## Scores\n\nBy cross-validation over the {scores['folds']} folds of {scores['set']} (near-duplicates kept "
        f"together; folds file SHA-256 `{scores['folds_sha256'][:16]}`...), of the recipe below, each image judged by "
        "a network that saw neither it nor a copy of it. The shipped weights are those of the same recipe on all "
        "images, so they were judged on none. Means over images at their own size; 95 % intervals by resampling groups "
        f"of copies, the seed's share is not in them.{rule}\n\n"
        + markdown(("measure", "value [95 %]"), rows)
        + "\nLesion Dice by part:\n\n"
        + markdown(("part", "mean [95 %]"), parts)
        + _curve(scores)
        + _elsewhere(scores)
        + _silence(scores)
    )


def _presence(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "presence" not in scores:
        return []
    return [("presence: AUC, images with a lesion against those without", figure(scores["presence"]["auc"]))]


def _kept_of_all(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    kept = scores.get("kept_of_all", ())
    shares = ", ".join(percent(each["share"], 0) for each in kept)
    what = f"of all images, the most certain {shares}: mean Dice, a normal counting 1 where nothing is drawn and else 0"
    return [(what, ", ".join(number(each["mean"]) for each in kept))] if kept else []


def _diameter(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of the longest diameter, of a model's scores or of those on another set."""
    if not (found := figures.get("diameter")):
        return []
    agreement = {name: found["agreement"][name] for name in ("mean", "low", "high")}
    return [
        (
            f"longest diameter, on the {found['n']} images that are drawn on: error, median and 90th percentile",
            f"{number(found['error']['median'], 1)} %, {number(found['error']['p90'], 1)} %",
        ),
        ("drawn minus true in pixels: mean and limits of agreement", figure(agreement, 1)),
    ]


SHOWN = (0.0, 0.02, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Thresholds of presence that the card shows, of those that were tried."""


def _curve(scores: Mapping[str, Any]) -> str:
    if "presence" not in scores or "curve" not in scores["presence"]:
        return ""
    curve = scores["presence"]["curve"]
    lines = zip(curve["threshold"], curve["dice"], curve["drawn"], strict=True)
    rows = [(short(level), number(dice), percent(drawn, 0)) for level, dice, drawn in lines if level in SHOWN]
    return "\nWhat silence below a presence leaves:\n\n" + markdown(
        ("nothing is drawn below", "lesion Dice", "normals drawn on"), rows
    )


def _elsewhere(scores: Mapping[str, Any]) -> str:
    if not scores.get("elsewhere"):
        return ""
    rows = []
    for each in scores["elsewhere"]:
        whose = "images held out" if each["set"] in each["trained_on"] else "not trained on"
        diameter = ", ".join(value for _, value in _diameter(each)[:1]) or "-"
        rows.append(
            (
                f"{each['set']}, {whose}, {each['lesion']['images']} images",
                " and ".join(each["trained_on"]) + (f", {each['epochs']} epochs" if "epochs" in each else ""),
                figure(each["lesion"]["dice"]),
                number(each["lesion"]["dice_median"]),
                diameter,
            )
        )
    head = ("judged on", "trained on", "lesion Dice [95 %]", "median", "error of the longest diameter, median and 90th")
    return "\nOn other sets:\n\n" + markdown(head, rows)


def _silence(scores: Mapping[str, Any]) -> str:
    kinds = (
        ("training_normals", "images without a lesion that they were trained on (one counts for each network)"),
        ("crops", "crops without any lesion pixel, cut beside the lesions of held-out images"),
    )
    rows = [
        (f"{name}: {told}, {found[kind]['n']}", percent(found[kind]["drawn"], 0))
        for name, found in scores.get("silence", {}).items()
        for kind, told in kinds
        if kind in found
    ]
    return "\nWhere there is nothing to draw:\n\n" + markdown(("images", "drawn on"), rows) if rows else ""


def _more_hd95(lesion: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "hd95_median" not in lesion:
        return []
    drawn = lesion["hd95_drawn"]
    return [
        ("its median", number(lesion["hd95_median"], 1)),
        (f"its mean on the {drawn['n']} images that are drawn on", figure(drawn, 1)),
    ]


def _calibration(scores: Mapping[str, Any]) -> str:
    if "calibration_interval" not in scores:
        return number(scores["calibration_error"])
    return f"{figure(scores['calibration_interval'])}; of an image {figure(scores['calibration_per_image'])}"


def _specks(record: Record) -> str:
    specks = record.get("scores", {}).get("specks")
    if not specks:
        return ""
    parts = [name for name in ("smallest_lesion", "least_confidence", "least_presence") if name in specks["tried"][0]]
    own = {name: record.get(name, 0.0) for name in parts}
    rows = [
        (*_rule(row, parts), number(row["dice"], 4), percent(row["drawn"], 0))
        for row in specks["tried"]
        if sum(row[name] != value for name, value in own.items()) <= 1
    ]
    chosen = "; ".join(", ".join(_rule(rule, parts)) for rule in specks["by_fold"].values())
    names = [name.replace("_", " ") for name in parts]
    return (
        f"## The rule for what is left out\n\n{specks['rule']} For the scores of a fold it was chosen on the other "
        f"folds ({', '.join(names)}: {chosen}); for the shipped model on all.\n\n"
        + markdown((*names, "lesion Dice", "normals drawn on"), rows)
    )


def _rule(row: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    return [percent(row[name], 2) if name == "smallest_lesion" else number(row[name], 2) for name in parts]


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
        sets = f" trained on {before['sets']}," if "sets" in before else ""
        recipe += f"\n\nIt began with a network{sets} of the recipe: {_recipe(before)}."
    return (
        f"## Training\n\nOn {trained.get('images', 'unknown')} images; `sonoseg evaluate` refuses to judge this model "
        "on any of them.\n\n" + "\n".join(lines) + f"\n\n{recipe}"
    )


def _sets(record: Record) -> list[Record]:
    """The sets that a network was trained on, the main one first."""
    return [record["trained_on"], *record["trained_on"].get("also", [])]


def _recipe(settings: Mapping[str, Any]) -> str:
    elsewhere: tuple[str, ...] = ("pretrained", "also", "sets")  # told in words
    if not settings.get("teachers"):
        elsewhere += ("soft",)
    told = {name: value for name, value in settings.items() if name not in elsewhere and value not in ("auto", "")}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _limits(record: Record) -> str:
    sets = [each["set"] for each in _sets(record) if "set" in each]
    share = "the share is above" if record.get("scores") else "on how many nobody has said"
    lines = [
        f"Trained on single images of {' and '.join(sets) or 'sets that it does not name'}; other scanners, probes, "
        "presets and populations will differ, and nobody has measured by how much for yours.",
        f"It draws on some images without a lesion ({share}). An outline is no proof of a lesion, an empty mask no "
        "proof of none.",
        *_of_the_set(record.get("scores", {})),
        "Circularity and depth-to-width of a mask depend on details of the outline that segmentation does not keep.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _of_the_set(scores: Mapping[str, Any]) -> list[str]:
    """What was measured of the set that it was judged on."""
    lines = []
    if noise := scores.get("label_noise"):
        lines.append(
            f"The masks of {scores['set']} are noisy: one image outlined twice agrees at a mean Dice of "
            f"{figure(noise['all'])}, {figure(noise['without_worst_group'])} without the group that disagrees most."
        )
    if marks := scores.get("marks"):
        lines.append(
            f"Calipers and text are burnt into {percent(marks['lesion'], 0)} of its images with a lesion and "
            f"{percent(marks['normal'], 0)} of those without; a network may lean on it."
        )
    return lines
