from pathlib import Path

import pytest

from sonoseg.data.folds import checksum, shipped
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.experiments.plan import Arm, Plan, of_models, read_plan
from sonoseg.learning.config import Config

TEXT = """
folds = [0, 2]
seeds = [0, 1]

[recipe]
data = "phantom:20"
size = 32
width = 4

[[arms]]
name = "plain"

[[arms]]
name = "recurrent"
model = "recurrent-unet"
also = ["phantom:40"]
"""


def written(folder: Path, text: str = TEXT) -> Path:
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return folder / "plan.toml"


def test_an_arm_is_a_name_and_what_it_changes_of_one_recipe(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path), {})
    recipe = Config("phantom:20", size=32, width=4)
    assert plan.arms[0] == Arm("plain", recipe)
    assert plan.arms[1].recipe == Config("phantom:20", "recurrent-unet", size=32, width=4, also=("phantom:40",))
    assert [cell.name for cell in plan.cells[:3]] == [
        "plain fold 0 seed 0", "recurrent fold 0 seed 0", "plain fold 2 seed 0"
    ]  # fmt: skip
    assert len({cell.folder(tmp_path) for cell in plan.cells}) == 8
    assert all((cell.config.fold, cell.config.seed) == tuple(map(int, cell.name.split()[2::2])) for cell in plan.cells)


def test_what_is_given_beside_the_file_stands_above_it(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path), {"data": "phantom:24", "device": "cpu"})
    assert {(arm.recipe.data, arm.recipe.device) for arm in plan.arms} == {("phantom:24", "cpu")}


def test_one_fold_of_a_plan_is_a_plan(tmp_path: Path) -> None:
    assert {cell.config.fold for cell in read_plan(written(tmp_path), {}, [2]).cells} == {2}
    text = 'judged = "validation"' + TEXT.replace("size = 32", "size = 32\nvalidation = 0.2")
    assert {cell.judged for cell in read_plan(written(tmp_path, text), {}, [2]).cells} == {"validation"}


def test_other_seeds_than_those_of_the_file_may_be_given(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path), {}, seeds=[1, 4])
    assert (plan.folds, plan.seeds) == ((0, 2), (1, 4))
    with pytest.raises(UserError, match="has as seeds: 1, 1"):
        read_plan(written(tmp_path), {}, seeds=[1, 1])


PLACED = """
folds = [0]
seeds = [0]

[recipe]
data = "phantom:20"
also = ["busi:here", "oasbud:here"]
encoder = "mobilenetv2_100"
encoder_weights = "weights/first.safetensors"

[[arms]]
name = "both"

[[arms]]
name = "alone"
also = []
encoder_weights = "none"

[[arms]]
name = "own"
also = ["oasbud:there"]
encoder_weights = "weights/second.safetensors"
"""


def test_where_sets_and_weights_lie_stands_above_the_plan_and_its_arms(tmp_path: Path) -> None:
    path = written(tmp_path, PLACED)
    plan = read_plan(path, {"also": ("oasbud:/x",), "encoder_weights": "/y/first.safetensors"})
    both, alone, own = (arm.recipe for arm in plan.arms)
    assert both.also == ("busi:here", "oasbud:/x")
    assert both.encoder_weights == "/y/first.safetensors"
    assert (alone.also, alone.encoder_weights) == ((), "none")
    assert own.also == ("oasbud:/x",)
    assert own.encoder_weights == "weights/second.safetensors"
    assert plan.own_settings() == read_plan(path, {}).own_settings()
    swapped = read_plan(path, {"also": ("oasbud:/x", "busi:/y")})
    assert swapped.arms[0].recipe.also == ("busi:/y", "oasbud:/x")


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        (PLACED, {"also": ("bus-bra:/x",)}, "--also bus-bra:/x .* names busi, oasbud there"),
        (PLACED, {"also": ("busi:/x", "bus-bra:/x")}, "--also bus-bra:/x .* names busi, oasbud there"),
        (PLACED, {"also": ("busi:/x", "busi:/y")}, "--also busi:/x"),
        (
            PLACED,
            {"encoder_weights": "/y/third.safetensors"},
            r"--encoder-weights /y/third.safetensors .* names first\.",
        ),
        (PLACED, {"encoder_weights": "timm"}, "--encoder-weights timm"),
        (PLACED.replace('"none"', '"weights/first.safetensors"'), {"encoder_weights": "none"}, "weights none"),
        (PLACED.replace("oasbud:here", "busi:there"), {"also": ("busi:/x",)}, "--also busi:/x"),
        (TEXT.replace('also = ["phantom:40"]', ""), {"also": ("phantom:40",)}, "names nothing there"),
        (TEXT, {"encoder_weights": "/y/first.safetensors"}, "names none there"),
    ],
)
def test_a_set_or_weights_that_the_plan_does_not_name_are_no_place_of_its_own(
    tmp_path: Path, text: str, given: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        read_plan(written(tmp_path, text), given)


def test_cells_without_a_table_are_missing(tmp_path: Path) -> None:
    plan = of_models(Config("phantom:20"), ("unet", "attention-unet"), (0,), (0,))
    assert plan.missing(tmp_path) == plan.cells
    folder = plan.cells[0].folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "cases.csv").touch()
    assert plan.missing(tmp_path) == plan.cells[1:]


def test_models_by_one_recipe_are_a_plan() -> None:
    plan = of_models(Config("phantom:20"), ("unet", "attention-unet"), (0,), (0,))
    assert [(cell.arm, cell.config.model) for cell in plan.cells] == [
        ("unet", "unet"), ("attention-unet", "attention-unet")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("folds =", "fold =", "has fold; folds, seeds"),
        ("size = 32", "sice = 32", "has sice;"),
        ("size = 32", "seed = 3", "has seed;"),
        ('model = "recurrent-unet"', 'modle = "unet"', "has modle; name, data"),
        ('name = "recurrent"', 'name = "plain"', "has as arms: plain, plain"),
        ('name = "plain"', 'name = "a/b"', "called 'a/b'"),
        ('name = "plain"', "", "called ''"),
        ('name = "plain"', f'name = "{"a" * 101}"', "100 at most"),
        ("[0, 2]", "[0, 0]", "has as folds: 0, 0"),
        ("[0, 2]", "[]", "has as folds: none"),
        ("[0, 2]", '"all"', "folds is 'all'"),
        ("[0, 1]", "[-1]", r"seeds is \[-1\]"),
        ('data = "phantom:20"', "", "names no data"),
        ("size = 32", "size = 3", "size is 3"),
        ('also = ["phantom:40"]', 'data = "phantom:40"', "an arm names its own data"),
        ("[[arms]]", "[[arms", "cannot be read as a plan"),
        ("folds =", 'judged = "training"\nfolds =', "judged on 'training'; test or validation"),
        ("folds =", 'judged = "validation"\nfolds =', "validation parts of 2 folds"),
        ("folds = [0, 2]", 'judged = "validation"\nfolds = [0]', "plain, recurrent cut off none"),
    ],
)
def test_a_plan_that_means_nothing_is_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(UserError, match=said):
        read_plan(written(tmp_path, TEXT.replace(old, new)), {})


def test_a_plan_without_arms_or_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has as arms: none"):
        read_plan(written(tmp_path, TEXT[: TEXT.index("[[arms]]")]), {})
    with pytest.raises(UserError, match="cannot be read as a plan"):
        read_plan(tmp_path / "nowhere.toml", {})


def test_folds_of_another_set_are_refused(tmp_path: Path) -> None:
    data = open_set("phantom:20")
    plan = read_plan(written(tmp_path, f'folds_sha256 = "{checksum(data.folds)}"\n{TEXT}'), {})
    plan.check(data)
    with pytest.raises(UserError, match="the plan is for folds with the checksum"):
        plan.check(open_set("phantom:40"))
    with pytest.raises(UserError, match="fold 7 does not exist"):
        Plan(plan.arms, (7,), (0,)).check(data)


def test_settings_that_arms_share_and_those_that_they_do_not(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path), {})
    assert plan.settings()["width"] == 4
    assert plan.own_settings() == {
        "plain": {"model": "unet", "also": ""}, "recurrent": {"model": "recurrent-unet", "also": "phantom"}
    }  # fmt: skip
    assert not {"model", "also", "fold", "seed", "data"} & plan.settings().keys()


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "plans").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_plans_that_come_along_are_for_the_shipped_folds(path: Path) -> None:
    plan = read_plan(path, {})
    assert plan.data == "busi:data/BUSI"
    assert plan.folds_sha256 == checksum(shipped("busi"))
    assert set(plan.folds) <= set(range(shipped("busi").count))
