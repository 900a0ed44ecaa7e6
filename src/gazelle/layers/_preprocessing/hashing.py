"""Hashing and HashedCrossing: categories as the number of a bin that their hash gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gazelle._core.checks import one_of, positive_int
from gazelle._core.dtypes import floatx
from gazelle._core.errors import ArgumentError, DataError, ShapeError
from gazelle._core.registry import builtin
from gazelle._core.symbolic import KerasTensor
from gazelle._text.hashes import crossed, hashed
from gazelle._text.vocabulary import encoded
from gazelle.layers._preprocessing.category_encoding import MODES, check_sparse, encoded_shape
from gazelle.layers._preprocessing.host import HostLayer, as_values


@builtin("keras.layers")
class Hashing(HostLayer):
    """Text or whole numbers as the numbers 0 to `num_bins - 1`, without a vocabulary.

    Equal values have equal bins; different ones may have too. The hashes are those of TensorFlow:
    FarmHash64 of the text (whole numbers in decimals), or SipHash with `salt`.

    Args:
        num_bins: Number of bins.
        mask_value: A value that alone has the bin 0; None for none.
        salt: An int, or two, as the key of SipHash; None for FarmHash64.
        output_mode: `"int"`, or `"one_hot"`, `"multi_hot"` and `"count"` as in `CategoryEncoding`.
        sparse: Not supported for text; must be False.
        **kwargs: `name`; `dtype` of the outputs.

    Raises:
        ArgumentError: `num_bins` is not an int > 0, the mode or the dtype does not fit, or `salt`
            is not one or two ints.

    Example:
        >>> import gazelle
        >>> print(gazelle.layers.Hashing(3)(["A", "B", "C", "D", "E"]))
        [1 0 1 1 2]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else floatx()
        super().__init__(**kwargs)
        self.num_bins = positive_int("num_bins", num_bins, "Hashing")
        self.output_mode = one_of("output_mode", output_mode, ("int", *MODES), "Hashing")
        check_sparse(self, sparse)
        refuse_sparse(self, sparse)
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ArgumentError(
                'Hashing: with `output_mode="int"`, `dtype` must be an integer type.',
                expected="int32 or int64",
                received=f"dtype={kwargs['dtype']!r}",
            )
        self.mask_value = mask_value
        self.sparse = sparse
        self.salt = checked_salt(salt, "Hashing")

    def compute(self, inputs: Any) -> np.ndarray:
        """The bins, or vectors."""
        values = as_values(inputs, f"layer {self.name!r}")
        if values.dtype.kind == "f":
            values = values.astype(np.int64)
        masked = self.mask_value is not None and self.num_bins > 1
        salt = None if self.salt is None else (self.salt[0], self.salt[1])
        bins = hashed(values, self.num_bins - masked, salt)
        if masked:
            bins = np.where(values == self.mask_value, 0, bins + 1)
        if self.output_mode == "int":
            return bins.astype(self.compute_dtype)
        return encoded(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input, or of the vectors."""
        if self.output_mode == "int":
            return tuple(input_shape)
        return encoded_shape(tuple(input_shape), self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic output, for symbolic inputs."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **self._base_config(),
            "num_bins": self.num_bins,
            "salt": self.salt,
            "mask_value": self.mask_value,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


@builtin("keras.layers")
class HashedCrossing(HostLayer):
    """Combinations of categories as the numbers 0 to `num_bins - 1`.

    Args:
        num_bins: Number of bins.
        output_mode: `"int"` or `"one_hot"`.
        sparse: Not supported; must be False.
        name: A name; automatic when None.
        dtype: Type of the outputs.
        **kwargs: `trainable`.

    Raises:
        ArgumentError: `num_bins` is not an int > 0, or the mode is unknown.

    Example:
        >>> import gazelle
        >>> print(gazelle.layers.HashedCrossing(5)((["A", "B", "A"], [101, 101, 102])))
        [1 4 1]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        if dtype is None and output_mode == "int":
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_bins = positive_int("num_bins", num_bins, "HashedCrossing")
        self.output_mode = one_of("output_mode", output_mode, ("int", "one_hot"), "HashedCrossing")
        refuse_sparse(self, sparse)
        self.sparse = sparse

    def compute(self, inputs: Any) -> np.ndarray:
        """The bins, or vectors.

        Args:
            inputs: Two or more arrays of one shape, `()`, `(n,)` or `(n, 1)`, of text or whole
                numbers.

        Raises:
            ArgumentError: Fewer than two inputs.
            ShapeError: Other or different shapes.
            DataError: Numbers that are not whole.
        """
        self._check_count(inputs)
        columns = [as_values(column, f"layer {self.name!r}") for column in inputs]
        self._check_shapes([column.shape for column in columns])
        if any(column.dtype.kind == "f" for column in columns):
            raise DataError(
                f"Layer {self.name!r}: inputs must be text or whole numbers.",
                received=f"dtypes {[str(column.dtype) for column in columns]}",
                fix="put the numbers into bins first: Discretization",
            )
        bins = crossed(columns, self.num_bins)
        if self.output_mode == "int":
            return bins.astype(self.compute_dtype)
        return encoded(bins, "one_hot", self.num_bins, self.compute_dtype)

    def _check_count(self, inputs: Any) -> None:
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise ArgumentError(
                f"Layer {self.name!r} crosses two inputs or more.",
                expected="a list or tuple of at least two",
                received=type(inputs).__name__,
            )

    def _check_shapes(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        first = shapes[0]
        wrong = len(first) > 2 or (len(first) == 2 and first[1] != 1)
        if wrong or any(shape != first for shape in shapes):
            raise ShapeError(
                f"Layer {self.name!r} got inputs of shapes that it cannot cross.",
                expected="(), (n,) or (n, 1), the same for all",
                received=f"{[tuple(shape) for shape in shapes]}",
            )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of one input, or of the vectors."""
        self._check_count(input_shape)
        self._check_shapes([tuple(shape) for shape in input_shape])
        shape = tuple(input_shape[0])
        if self.output_mode == "int":
            return shape
        return encoded_shape(shape, "one_hot", self.num_bins)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """The symbolic output, for symbolic inputs."""
        shape = self.compute_output_shape([one.shape for one in inputs])
        return KerasTensor(shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }


def refuse_sparse(layer: Any, sparse: bool) -> None:
    """Refuse sparse vectors of a layer that computes on the host, as Keras does without TensorFlow.

    Raises:
        ArgumentError: `sparse` is set.
    """
    if sparse:
        raise ArgumentError(
            f"{type(layer).__name__}: sparse=True is not supported.", expected="sparse=False"
        )


def checked_salt(salt: Any, owner: str) -> list[int] | None:
    """The two ints of a key.

    Raises:
        ArgumentError: `salt` is not an int, two ints or None.
    """
    if salt is None:
        return None
    if isinstance(salt, int):
        return [salt, salt]
    if isinstance(salt, tuple | list) and len(salt) == 2:
        return list(salt)
    raise ArgumentError(
        f"{owner}: `salt` must be an int or two.", expected="an int or (int, int)", received=salt
    )
