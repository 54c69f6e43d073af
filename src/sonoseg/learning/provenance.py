"""What a network was made of and has seen, for the record beside its weights."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

from sonoseg import __version__
from sonoseg.data.samples import DataSet
from sonoseg.errors import UserError
from sonoseg.learning import pretrained
from sonoseg.learning.config import Config, told_settings
from sonoseg.learning.loop import model_record
from sonoseg.learning.networks.encoders import origin

THRESHOLD = 0.5

Record = dict[str, Any]


def record(
    config: Config,
    sets: Sequence[DataSet],
    digests: Sequence[str],
    watched: Sequence[str],
    before: Record,
    teachers: Sequence[Record],
) -> Record:
    """The record of a finished run.

    sets: the one that is judged on, then the others. digests: of the images that it trained on. watched: of those that
    were cut off to watch it, which tell the network nothing; they are among the ``digests`` of the record as well, as
    nobody is to be judged on them. before, teachers: the records of what it was begun with, or empty, and of what it
    learnt from. What they saw, it has seen.
    """
    folds = [config.fold, *(config.also_fold for _ in sets[1:])]
    own, *others = (_told(data, fold) for data, fold in zip(sets, folds, strict=True))
    known = [network for network in (before, *teachers) if network]
    also = [*others, *(each for each in chain(*map(_sets_seen, known)) if each != own)]
    learnt = {*digests, *chain(*map(_learnt_from, known))}
    seen = learnt.union(watched, *(network["trained_on"]["digests"] for network in known))
    return {
        "model": model_record(config),
        "size": config.size,
        "threshold": THRESHOLD,
        "classes": ["lesion"],
        "trained_on": own
        | {
            "fold": config.fold,
            "images": len(seen),
            "also": [each for number, each in enumerate(also) if each not in also[:number]],
            "digests": sorted(seen),
            **({"watched": sorted(seen - learnt)} if seen - learnt else {}),
        },
        "encoder_weights": before.get("encoder_weights") or origin(config.encoder_weights),
        "settings": told_settings(config) | ({"pretrained": _recipe(before)} if before else {}),
        "program": f"sonoseg {__version__}",
    }


def of_pretrained(config: Config, data: DataSet, also: Sequence[DataSet]) -> Record:
    """The record of the network to begin with, empty where there is none.

    Errors: ``UserError`` where it has seen images of a set that a fold is held out of, unless it held out the same.
    """
    if not config.pretrained:
        return {}
    found = pretrained.load(config.begun_with).record
    held_out = {data.name: config.fold} | {other.name: config.also_fold for other in also}
    for seen in _sets_seen(found):
        if held_out.get(seen["set"], -1) not in (-1, seen.get("fold", -1)):
            raise UserError(
                f"{config.begun_with} was trained on images of {seen['set']}, which fold {held_out[seen['set']]} is "
                "held out of",
                hint="begin with a network of another set, or that held out the same fold; fold -1 trains on all",
            )
    return found


def need_unseen(networks: Mapping[str, Record], held_out: Collection[str]) -> None:
    """Errors: ``UserError`` for a network that learnt from an image that is held out, by digest. networks: records by
    place."""
    for name, network in networks.items():
        if seen := len(_learnt_from(network).intersection(held_out)):
            raise UserError(
                f"{name} was trained on {seen} of the {len(held_out)} images that are held out here",
                hint="give networks that held out the same fold (and validation part); {fold} in a name stands for it",
            )


def _learnt_from(network: Record) -> set[str]:
    """Digests of the images that its weights come from, without those that it was only watched on."""
    trained_on = network["trained_on"]
    return {*trained_on["digests"]}.difference(trained_on.get("watched", ()))


def _told(data: DataSet, fold: int) -> Record:
    told = {"set": data.name, "citation": data.citation, "licence": data.licence}
    return told | {"fold": fold} if fold >= 0 else told


def _recipe(network: Mapping[str, Any]) -> Record:
    """The settings of a network, and the names of the sets that it was trained on."""
    return {"sets": ", ".join(seen["set"] for seen in _sets_seen(network)), **network["settings"]}


def _sets_seen(network: Mapping[str, Any]) -> list[Record]:
    """What a network was trained on, as ``also`` tells it."""
    trained = network["trained_on"]
    fold = {"fold": trained["fold"]} if trained["fold"] >= 0 else {}
    return [{name: trained[name] for name in ("set", "citation", "licence")} | fold, *trained["also"]]
