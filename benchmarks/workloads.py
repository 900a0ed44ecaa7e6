"""What is measured: the jobs of the workloads W1 to W10, and who takes part how often."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Job:
    """One thing that is measured, in turns by those who take part."""

    workload: str
    name: str
    how: str  # a sentence or two for the page
    task: str  # what the contestants' scripts call it
    data: dict[str, tuple[str, int]]  # what a case calls its data -> kind and rows of made_up.py
    cases: list[dict]
    rounds: dict[str, int]  # who takes part, and in how many rounds
    changes: dict[str, dict] = field(
        default_factory=dict
    )  # what is different for one, in every case
    settings: dict = field(default_factory=dict)  # more for the contestants' scripts
    own: dict[str, dict] = field(default_factory=dict)  # and what one of them gets instead
    derive: Callable[[dict], dict] = lambda figures: {}  # further figures from those of a run


def plan(quick: bool = False, float64: bool = False) -> list[Job]:
    """All jobs, in the order in which they run; `quick` ones are tiny."""
    jobs = [
        *_article(quick, float64),
        *_tiny(quick),
        *_wide_deep_large(quick),
        _many(quick),
        _predict(quick),
        _features(quick),
        *_start(),
        _images(quick),
    ]
    return [_shorter(job) for job in jobs] if quick else jobs


def _shorter(job: Job) -> Job:
    """One turn; those who run the same script as another do so in W2 only."""
    same = ("keras_jax_steps", "keras_nightly", "keras_tensorflow", "keras_torch")
    return replace(
        job, rounds={name: 1 for name in job.rounds if name not in same or job.name == "W2 tiny"}
    )


ARTICLE = {
    "name": "article",
    "data": "article",
    "shape": [32, 32, 3],
    "features": 3072,
    "hidden": [200, 150],
    "outputs": 10,
    "batch": 32,
    "learning_rate": 5e-4,
}
TINY = {
    "data": "tiny",
    "features": 20,
    "hidden": [64, 64],
    "outputs": 1,
    "batch": 32,
    "learning_rate": 1e-3,
}


def _article(quick: bool, float64: bool) -> list[Job]:
    rows = 640 if quick else 50_000
    case = {
        **ARTICLE,
        "evaluate_first": True,
        "steps": {"keras_jax_steps": 32, "keras_nightly": 100},
    }
    data = {"article": ("article", rows)}
    article = Job(
        "W1",
        "W1 article",
        "50,000 images of 32 x 32 x 3 bytes, 3072-200-150-10, batch 32, Adam with rate 5e-4; 10,000"
        " images to test on. A process trains one epoch and evaluates (its start to that moment is"
        " clocked), then it trains 3 epochs (slow ones 1), then one with validation.",
        "fit",
        data,
        [{**case, "epochs": 3, "validated_epochs": 1}],
        {
            "gazelle_cold": 2,
            "gazelle": 2,
            "gazelle_xla": 2,
            "jax_by_hand": 2,
            "keras_jax": 2,
            "keras_jax_steps": 2,
        }
        | {"keras_nightly": 1}
        | dict.fromkeys(("keras_tensorflow", "pytorch", "scikit_learn", "keras_torch"), 1),
        {
            "gazelle_cold": {"epochs": 0, "validated_epochs": 0},
            "keras_torch": {"epochs": 1, "validated_epochs": 0},
            "keras_tensorflow": {"epochs": 1},
            "scikit_learn": {"epochs": 1},
        },
    )
    ten = replace(
        article,
        name="W1 ten epochs",
        how=(
            "The same from the start of the process to evaluated, after 10 epochs; only by those"
            " that carry a target."
        ),
        cases=[{**case, "first_epochs": 10}],
        rounds={"gazelle": 1, "jax_by_hand": 1, "keras_jax": 1},
        changes={},
    )
    doubles = replace(
        article,
        name="W1 float64",
        how=(
            "The article's own form of the data: float64 arrays and one-hot labels (Keras and"
            " Gazelle; the others float32 rows, converted once)."
        ),
        cases=[{**case, "epochs": 2, "float64": True}],
        rounds={"gazelle": 1, "jax_by_hand": 1, "keras_jax": 1, "pytorch": 1},
        changes={},
    )
    return [article, ten, *([doubles] if float64 else [])]


# The best steps_per_execution, found by a sweep (see README.md): {rows, batch: {contestant:
# steps}}.
_BEST_STEPS = {
    (1_000, 32): {"keras_jax_steps": 32, "keras_nightly": 31},
    (1_000, 256): {"keras_jax_steps": 4, "keras_nightly": 3},
    (10_000, 32): {"keras_jax_steps": 313, "keras_nightly": 104},
    (10_000, 256): {"keras_jax_steps": 13, "keras_nightly": 39},
}


def _tiny(quick: bool) -> list[Job]:
    cases = [
        {
            **TINY,
            "name": f"{rows:,} rows, batch {batch}",
            "rows": rows // 5 if quick else rows,
            "batch": batch,
            "epochs": 3 if quick else epochs,
            "repeats": 3,
            "steps": _BEST_STEPS[rows, batch],
        }
        for rows, epochs in ((1_000, 30), (10_000, 10))
        for batch in (32, 256)
    ]
    tiny = Job(
        "W2",
        "W2 tiny",
        "A table of 20 columns of float32, 64-64-1, binary cross entropy, Adam. All four sizes in"
        " one process: a first fit of one epoch, which compiles, then three fits of 30 epochs"
        " (10,000 rows: 10), their median divided by the epochs.",
        "fit",
        {"tiny": ("tiny", 10_000)},
        cases,
        {
            "gazelle": 3,
            "gazelle_xla": 3,
            "jax_by_hand": 3,
            "keras_jax": 2,
            "keras_jax_steps": 2,
            "scikit_learn": 2,
        }
        | {"keras_nightly": 1}
        | dict.fromkeys(("pytorch", "keras_tensorflow", "keras_torch"), 1),
        {"keras_torch": {"repeats": 1}, "keras_tensorflow": {"repeats": 1}},
    )
    digits = Job(
        "W2",
        "W2 digits",
        "scikit-learn's digits (1,797 rows of 64), 64-100-10, batch 32: from the start of the"
        " process to 50 epochs trained and evaluated.",
        "fit",
        {"digits": ("digits", 1_797)},
        [
            {
                "name": "digits",
                "data": "digits",
                "features": 64,
                "hidden": [100],
                "outputs": 10,
                "batch": 32,
                "learning_rate": 1e-3,
                "first_epochs": 3 if quick else 50,
                "evaluate_first": True,
                "steps": {"keras_jax_steps": 57},
            }
        ],
        {
            "gazelle_cold": 3,
            "gazelle": 3,
            "jax_by_hand": 3,
            "scikit_learn": 3,
            "keras_jax": 2,
            "keras_jax_steps": 1,
        },
    )
    return [tiny, digits]


def _wide_deep_large(quick: bool) -> list[Job]:
    wide = Job(
        "W3",
        "W3 wide",
        "4,096 rows of 2,048 columns, 2048-2048-10, batch 256: 16 steps an epoch.",
        "fit",
        {"wide": ("wide", 512 if quick else 4_096)},
        [
            {
                "name": "wide",
                "data": "wide",
                "features": 2048,
                "hidden": [2048, 2048],
                "outputs": 10,
                "batch": 256,
                "learning_rate": 1e-4,
                "epochs": 2,
                "steps": {"keras_jax_steps": 16},
            }
        ],
        {
            "gazelle": 2,
            "jax_by_hand": 2,
            "keras_jax": 2,
            "pytorch": 2,
            "keras_tensorflow": 2,
            "scikit_learn": 1,
        },
    )
    deep = {
        "data": "deep",
        "features": 64,
        "outputs": 10,
        "batch": 32,
        "learning_rate": 1e-3,
        "epochs": 3,
    }
    rows, steps = (1_000, 32) if quick else (10_000, 313)
    cases = [
        {
            **deep,
            "name": f"{layers} layers",
            "hidden": [64] * layers,
            "steps": {"keras_jax_steps": steps},
        }
        for layers in (10, 40)
    ]
    deep_job = Job(
        "W4",
        "W4 deep",
        "10,000 rows of 64 columns, 10 and 40 hidden layers of 64, batch 32: 313 steps an epoch. A"
        " layer's time is the difference of the two, divided by 30 layers and the steps; the"
        " arithmetic of a layer is that of its three matrix products (32 x 64 by 64 x 64), timed by"
        " themselves in one JAX program.",
        "fit",
        {"deep": ("deep", rows)},
        cases,
        {
            "gazelle": 3,
            "gazelle_xla": 2,
            "jax_by_hand": 3,
            "keras_jax": 1,
            "keras_jax_steps": 1,
            "pytorch": 1,
        },
        settings={"products": {"rows": 32, "units": 64}},
        derive=lambda figures: _layer_time(figures, steps),
    )
    large = Job(
        "W5",
        "W5 large batch",
        "The article's network and images, batch 4,096: 13 steps an epoch.",
        "fit",
        {"article": ("article", 2_000 if quick else 50_000)},
        [{**ARTICLE, "name": "large batch", "batch": 500 if quick else 4_096, "epochs": 2}],
        {
            "gazelle": 2,
            "jax_by_hand": 2,
            "keras_jax": 2,
            "pytorch": 2,
            "keras_tensorflow": 1,
            "scikit_learn": 1,
        },
    )
    return [wide, deep_job, large]


def _layer_time(figures: dict, steps: int) -> dict:
    few, many = figures["10 layers: epoch"], figures["40 layers: epoch"]
    return {
        "40 layers: a step (\u00b5s)": 1e6 * many / steps,
        "a layer (\u00b5s)": 1e6 * (many - few) / steps / 30,
    }


def _many(quick: bool) -> Job:
    return Job(
        "W6",
        "W6 many",
        "100 models of one kind (20-64-64-1), each built, compiled and trained one epoch of 1,000"
        " rows, one after another in one process; Keras 5. Less an epoch: without what another"
        " epoch of the second model takes.",
        "many",
        {"tiny": ("tiny", 10_000)},
        [{**TINY, "rows": 1_000}],
        {"gazelle": 2, "keras_jax": 1, "pytorch": 1, "scikit_learn": 1},
        settings={"models": 25 if quick else 100},
        own={"keras_jax": {"models": 5}},
    )


def _predict(quick: bool) -> Job:
    return Job(
        "W7",
        "W7 predict",
        "Predictions of the network of W2, results on the host: the median of 1,000 calls for one"
        " row; 1,000 blocks of 1 to 5,000 rows; a million rows (Keras is given batch_size=8192 for"
        " these, its own 32 is slower; PyTorch and JAX by hand take blocks of 8,192).",
        "predict",
        {"million": ("tiny", 20_000 if quick else 1_000_000)},
        [{**TINY, "data": "million"}],
        {"gazelle": 3, "jax_by_hand": 3, "pytorch": 2, "scikit_learn": 2, "keras_jax": 1},
        settings={"calls": 100 if quick else 1_000, "random_sizes": 20 if quick else 1_000},
        own={"keras_jax": {"million_batch": 8192}},
        derive=_one_row,
    )


def _one_row(figures: dict) -> dict:
    ways = {name: value for name, value in figures.items() if name.endswith("(\u00b5s)")}
    public = [
        ways[name]
        for name in ("one row, predict (\u00b5s)", "one row, predict_on_batch (\u00b5s)")
        if name in ways
    ]
    compilations = sum(
        value
        for name, value in figures.items()
        if name.startswith("one row") and "compilations" in name
    )
    best = {"one row, by predict (\u00b5s)": min(public)} if public else {}
    return {
        "one row, the fastest way (\u00b5s)": min(ways.values()),
        "one row: compilations": compilations,
        **best,
    }


def _features(quick: bool) -> Job:
    return Job(
        "W8",
        "W8 features",
        "W2 with 10,000 rows and batch 32, plain and with one feature more, then with all; each a"
        " model of its own in one process, timed as W2.",
        "features",
        {"tiny": ("tiny", 10_000)},
        [{**TINY, "rows": 1_000 if quick else 10_000, "epochs": 2 if quick else 10, "repeats": 3}],
        {"gazelle": 2, "gazelle_xla": 2, "keras_jax": 1},
        {"keras_jax": {"epochs": 3, "repeats": 1}},
    )


def _start() -> list[Job]:
    case = {**TINY, "rows": 1_000}
    imports = Job(
        "W9",
        "W9 import",
        "From the start of the process to everything imported that a script's first lines need.",
        "import",
        {},
        [],
        {"import_jax": 5, "import_gazelle": 5, "import_keras": 2},
    )
    first = Job(
        "W9",
        "W9 first epoch",
        "From the start of the process to the end of the first epoch of the tiny job (1,000 rows,"
        " batch 32), then a second model of the same shapes in the same process.",
        "fit",
        {"tiny": ("tiny", 10_000)},
        [{**case, "name": "first model"}, {**case, "name": "second model"}],
        {"gazelle_cold": 3, "gazelle": 3, "jax_by_hand": 1, "keras_jax": 2, "scikit_learn": 1},
    )
    return [imports, first]


def _images(quick: bool) -> Job:
    return Job(
        "W10",
        "W10 images",
        "60,000 JPEG files of 32 x 32 in ten folders, from the start of the process to the end of"
        " the first epoch of the article's network, through each one's own loader (PyTorch: a"
        " Dataset with pillow, two workers). Cores busy while decoding: processor seconds by"
        " seconds; Keras and PyTorch decode while they train.",
        "images",
        {"photos": ("photos", 1_000 if quick else 60_000)},
        [{**ARTICLE, "data": "photos"}],
        {"gazelle": 2, "keras_tensorflow": 1, "pytorch": 1},
    )
