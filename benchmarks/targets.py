"""The targets: limits for Gazelle's figures, alone or compared with a peer in the same round."""

from typing import NamedTuple

from peers import BEST_KERAS_JAX, EVERYONE, HAND, KERAS_JAX, SKLEARN


class Target(NamedTuple):
    """A limit for Gazelle's `figure`, as a ratio to the fastest of `against` or as it is."""

    job: str
    text: str
    figure: str
    limit: float
    against: tuple[str, ...] = ()
    kind: str = "ratio"  # "ratio", "difference" (from the peer's figure), "value", "at least"
    unit: str = ""
    other: str = ""  # the peer's figure, if it has another name
    of: str = "gazelle"


_W1, _TINY = "W1 article", "W2 tiny"
_PEERS = tuple(name for name in EVERYONE if name != "jax_by_hand")
_SIZES = (
    "1,000 rows, batch 32",
    "10,000 rows, batch 32",
    "1,000 rows, batch 256",
    "10,000 rows, batch 256",
)
TARGETS = [
    Target(_W1, "one epoch, vs. Keras on JAX at its best", "article: epoch", 0.70, BEST_KERAS_JAX),
    Target(
        _W1, "one epoch, vs. Keras on TensorFlow", "article: epoch", 0.20, ("keras_tensorflow",)
    ),
    Target(_W1, "one epoch, vs. JAX by hand", "article: epoch", 1.0, HAND),
    Target(
        _W1,
        "start to evaluated, vs. Keras on JAX; compile cache filled",
        "start to evaluated",
        0.5,
        KERAS_JAX,
    ),
    Target(
        _W1,
        "the same, compile cache empty",
        "start to evaluated",
        0.5,
        KERAS_JAX,
        of="gazelle_cold",
    ),
    Target(_W1, "peak memory, vs. Keras on JAX", "peak MB", 1.0, KERAS_JAX),
    Target(_TINY, "1,000 rows, batch 32: vs. Keras on JAX", f"{_SIZES[0]}: epoch", 0.15, KERAS_JAX),
    Target(
        _TINY,
        "the same, vs. Keras on JAX at its best",
        f"{_SIZES[0]}: epoch",
        0.4,
        BEST_KERAS_JAX,
    ),
    Target(_TINY, "the same, vs. scikit-learn", f"{_SIZES[0]}: epoch", 0.15, SKLEARN),
    Target(_TINY, "10,000 rows, batch 32: vs. Keras on JAX", f"{_SIZES[1]}: epoch", 0.2, KERAS_JAX),
    Target(
        _TINY,
        "the same, vs. Keras on JAX at its best",
        f"{_SIZES[1]}: epoch",
        0.5,
        BEST_KERAS_JAX,
    ),
    Target(_TINY, "the same, vs. scikit-learn", f"{_SIZES[1]}: epoch", 0.15, SKLEARN),
    *(
        Target(_TINY, f"{size}: vs. the fastest peer", f"{size}: epoch", 1.0, _PEERS)
        for size in _SIZES[2:]
    ),
    *(Target(_TINY, f"{size}: vs. JAX by hand", f"{size}: epoch", 1.2, HAND) for size in _SIZES),
    Target(
        "W2 digits",
        "digits, compile cache filled: vs. scikit-learn",
        "start to evaluated",
        1.0,
        SKLEARN,
    ),
    Target("W3 wide", "one epoch, vs. the fastest peer", "wide: epoch", 1.05, EVERYONE),
    Target(
        "W4 deep",
        "one layer, beyond its matrix products alone",
        "a layer (\u00b5s)",
        3.0,
        HAND,
        "difference",
        "\u00b5s",
        "the products of a layer (\u00b5s)",
    ),
    Target(
        "W5 large batch", "one epoch, vs. the fastest peer", "large batch: epoch", 1.05, EVERYONE
    ),
    Target(
        "W6 many",
        "second model of the same shapes, minus one epoch",
        "second model, less an epoch",
        0.05,
        kind="value",
        unit="s",
    ),
    Target(
        "W6 many",
        "growth of memory from model 10 to 100",
        "memory growth from model 10 to the last (%)",
        5.0,
        kind="value",
        unit="%",
    ),
    Target(
        "W7 predict",
        "one row, predict or predict_on_batch",
        "one row, by predict (\u00b5s)",
        50.0,
        kind="value",
        unit="\u00b5s",
    ),
    Target(
        "W7 predict",
        "compilations while one row is predicted",
        "one row: compilations",
        0.0,
        kind="value",
    ),
    Target("W7 predict", "a million rows, vs. the fastest peer", "a million rows", 1.0, EVERYONE),
    Target(
        "W8 features",
        "all features together, vs. plain",
        "all together: times plain",
        1.5,
        kind="value",
    ),
    Target(
        "W9 import",
        "import, beyond that of JAX",
        "start to imported",
        0.15,
        ("import_jax",),
        "difference",
        "s",
        of="import_gazelle",
    ),
    Target(
        "W9 first epoch",
        "a second process, start to end of epoch 1",
        "start to end of the first fit",
        1.5,
        kind="value",
        unit="s",
    ),
    Target(
        "W10 images",
        "cores busy while decoding (of two)",
        "decoding: cores busy",
        1.5,
        kind="at least",
    ),
]
