"""The jobs of the workloads W1 to W10, and how many rounds each contestant runs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Job:
    """A measurement that the contestants run in turns."""

    workload: str
    name: str
    how: str  # a description for the page
    task: str  # the name of the task in the contestants' scripts
    data: dict[str, tuple[str, int]]  # name in the cases -> kind and rows for made_up.py
    cases: list[dict]
    rounds: dict[str, int]  # contestant -> number of rounds
    changes: dict[str, dict] = field(default_factory=dict)  # contestant -> changes of every case
    settings: dict = field(default_factory=dict)  # more settings for the scripts
    own: dict[str, dict] = field(default_factory=dict)  # contestant -> its own settings
    derive: Callable[[dict], dict] = lambda figures: {}  # more figures from those of a run


def plan(quick: bool = False, float64: bool = False) -> list[Job]:
    """All jobs in the order in which they run, with tiny sizes if `quick`."""
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
    """One round; contestants that run the same script as another take part only in W2."""
    names = list(job.rounds)
    if job.name != "W2 tiny":
        same = ("keras_jax_steps", "keras_nightly", "keras_tensorflow", "keras_torch")
        names = [name for name in names if name not in same]
    return replace(job, rounds=dict.fromkeys(names, 1))


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
        "50,000 training images of 32 x 32 x 3 bytes and 10,000 test images, 3072-200-150-10, batch"
        " size 32, Adam with learning rate 5e-4. A process trains one epoch and evaluates (timed"
        " from its start), then trains 3 epochs (slow contestants 1), then one with validation.",
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
            "keras_nightly": 1,
            "keras_tensorflow": 1,
            "pytorch": 1,
            "scikit_learn": 1,
            "keras_torch": 1,
        },
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
            "The same from the start of the process to evaluated after 10 epochs, only for"
            " contestants with a target."
        ),
        cases=[{**case, "first_epochs": 10}],
        rounds={"gazelle": 1, "jax_by_hand": 1, "keras_jax": 1},
        changes={},
    )
    doubles = replace(
        article,
        name="W1 float64",
        how=(
            "The data as in the article: float64 arrays and one-hot labels (Keras and Gazelle; the"
            " others get float32 rows, converted once)."
        ),
        cases=[{**case, "epochs": 2, "float64": True}],
        rounds={"gazelle": 1, "jax_by_hand": 1, "keras_jax": 1, "pytorch": 1},
        changes={},
    )
    return [article, ten, *([doubles] if float64 else [])]


# The best steps_per_execution of a sweep (see README.md): (rows, batch size) -> steps.
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
        "A table of 20 float32 columns, 64-64-1, binary cross-entropy, Adam. All four sizes run in"
        " one process: a first fit of one epoch, which compiles, then three fits of 30 epochs"
        " (10,000 rows: 10). The figure is their median divided by the number of epochs.",
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
            "keras_nightly": 1,
            "pytorch": 1,
            "keras_tensorflow": 1,
            "keras_torch": 1,
        },
        {"keras_torch": {"repeats": 1}, "keras_tensorflow": {"repeats": 1}},
    )
    digits = Job(
        "W2",
        "W2 digits",
        "scikit-learn's digits (1,797 rows of 64), 64-100-10, batch size 32: from the start of the"
        " process to evaluated after 50 epochs.",
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
        "4,096 rows of 2,048 columns, 2048-2048-10, batch size 256: 16 steps per epoch.",
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
        "10,000 rows of 64 columns, 10 and 40 hidden layers of 64, batch size 32: 313 steps per"
        " epoch. The time of one layer is the difference of the two, divided by 30 layers and the"
        " steps. The three matrix products of a layer (32 x 64 by 64 x 64) are also timed alone, in"
        " one JAX program.",
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
        "The article's network and images, batch size 4,096: 13 steps per epoch.",
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
        "100 models of the same architecture (20-64-64-1; Keras: 5) are built, compiled and trained"
        " for one epoch of 1,000 rows, one after another in one process. Minus one epoch: without"
        " the time of another epoch of the second model.",
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
        "Predictions of the network of W2, with the results on the host: the median of 1,000 calls"
        " for one row; 1,000 blocks of 1 to 5,000 rows; a million rows (Keras with batch_size=8192,"
        " since its default of 32 is slower; PyTorch and JAX by hand in blocks of 8,192).",
        "predict",
        {"million": ("tiny", 20_000 if quick else 1_000_000)},
        [{**TINY, "data": "million"}],
        {"gazelle": 3, "jax_by_hand": 3, "pytorch": 2, "scikit_learn": 2, "keras_jax": 1},
        settings={"calls": 100 if quick else 1_000, "random_sizes": 20 if quick else 1_000},
        own={"keras_jax": {"million_batch": 8192}},
        derive=_one_row,
    )


def _one_row(figures: dict) -> dict:
    methods = {name: value for name, value in figures.items() if name.endswith("(\u00b5s)")}
    compilations = [
        value
        for name, value in figures.items()
        if name.startswith("one row") and "compilations" in name
    ]
    derived = {
        "one row, the fastest way (\u00b5s)": min(methods.values()),
        "one row: compilations": sum(compilations),
    }
    names = ("one row, predict (\u00b5s)", "one row, predict_on_batch (\u00b5s)")
    predicting = [methods[name] for name in names if name in methods]
    if predicting:
        derived["one row, by predict (\u00b5s)"] = min(predicting)
    return derived


def _features(quick: bool) -> Job:
    return Job(
        "W8",
        "W8 features",
        "W2 with 10,000 rows and batch size 32: plain, with each feature alone, and with all of"
        " them. Each is a new model in one process, timed as in W2.",
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
        "From the start of the process until everything is imported that a typical script needs.",
        "import",
        {},
        [],
        {"import_jax": 5, "import_gazelle": 5, "import_keras": 2},
    )
    first = Job(
        "W9",
        "W9 first epoch",
        "From the start of the process to the end of the first epoch of the tiny job (1,000 rows,"
        " batch size 32), then a second model of the same shapes in the same process.",
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
        " the first epoch of the article's network, with each library's own loader (PyTorch: a"
        " Dataset with pillow, two workers). Cores busy while decoding: processor time divided by"
        " elapsed time; Keras and PyTorch decode while they train.",
        "images",
        {"photos": ("photos", 1_000 if quick else 60_000)},
        [{**ARTICLE, "data": "photos"}],
        {"gazelle": 2, "keras_tensorflow": 1, "pytorch": 1},
    )
