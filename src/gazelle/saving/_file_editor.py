"""Editing the weights in a file, where a model has changed since it was saved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gazelle._core.console import say, shown
from gazelle._core.errors import ArgumentError, ArgumentTypeError
from gazelle._formats.h5 import WeightsFile, check_total, keyed, open_weights, write_weights
from gazelle._formats.keras_file import open_keras_file
from gazelle.models._weights import require_built, saved_state

_LISTED = "see editor.summary() for all objects"

Objects = dict[str, Any]  # names -> arrays, and the same for the objects within an object


class KerasFileEditor:
    """The weights of a file, to look at, change and write into another file.

    An object is what has weights: a layer, a model within the model, the optimizer. Its path is
    that in the file, `layers/dense_2`; where only one object has a name, the name is enough.

    Args:
        filepath: A path that ends in `.keras` or `.weights.h5`.
        max_bytes: Maximum memory for the weights; None for 64 MiB plus 100 times the size of the
            file, which only compressed files can exceed.

    Attributes:
        weights_dict: Names -> objects, dicts of the same kind, and weights, arrays.
        object_metadata: Paths of objects -> `{"name": the name that the user gave}`.
        config: The config of the model; None of a file of weights alone.
        metadata: Who wrote a `.keras` file; None of a file of weights alone.

    Raises:
        ArgumentError: The path has another ending.
        ModelFileError: The file is missing, damaged, or holds what a model file never holds.
    """

    def __init__(self, filepath: str | os.PathLike[str], *, max_bytes: int | None = None):
        self.filepath = os.fspath(filepath)
        self.config: dict[str, Any] | None = None
        self.metadata: dict[str, Any] | None = None
        self.weights_dict: Objects = {}
        self.object_metadata: dict[str, dict[str, str]] = {}
        if self.filepath.endswith(".keras"):
            with open_keras_file(self.filepath) as file:
                self.config, self.metadata = file.config, file.metadata
                self._read(file.weights, max_bytes)
        elif self.filepath.endswith(".weights.h5"):
            with open_weights(self.filepath) as weights:
                self._read(weights, max_bytes)
        else:
            raise ArgumentError(
                "Invalid filename: expected a `.keras` or `.weights.h5` extension.",
                received=self.filepath,
            )

    def _read(self, weights: WeightsFile, max_bytes: int | None) -> None:
        check_total(weights, os.path.getsize(self.filepath), max_bytes)
        for path, keys in weights.keys.items():
            within = self.weights_dict
            for name in filter(None, path.split("/")):
                within = within.setdefault(name, {})
            within.update(zip(keys, weights.read(path), strict=True))
        self.object_metadata = {path: {"name": name} for path, name in weights.names().items()}

    # ---- Looking ----

    def summary(self) -> None:
        """Print the objects in the file, and the shapes of their weights."""
        say(f"Keras model file {shown(self.filepath)!r}")
        if self.metadata:
            version, date = self.metadata.get("keras_version"), self.metadata.get("date_saved")
            say(f"Saved with Keras {shown(version)}, date: {shown(date)}")
        say("Weights structure")
        for line in self._lines(self.weights_dict, "", "  "):
            say(line)

    def _lines(self, objects: Objects, path: str, indent: str) -> Iterator[str]:
        for name, value in objects.items():
            if not isinstance(value, dict):
                yield f"{indent}{shown(name)}: shape={value.shape}, dtype={value.dtype}"
                continue
            inner = f"{path}/{name}".lstrip("/")
            given = self.object_metadata.get(inner, {}).get("name")
            yield f"{indent}{shown(name)}" + (f" ({shown(given)!r})" if given else "")
            yield from self._lines(value, inner, indent + "  ")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print in what the file differs from a model, and return how much that is.

        Args:
            reference_model: A model that is built.

        Returns:
            `status`, `"success"` or `"error"`; `error_count`, the objects and weights that only one
            of them has or that differ in shape; `match_count`, the weights of equal shape.

        Raises:
            StateError: The model is not built.
        """
        require_built(reference_model, "compare")
        expected: Objects = {}
        for path, values in saved_state(reference_model).tree().items():
            within = expected
            for name in filter(None, path.split("/")):
                within = within.setdefault(name, {})
            within.update((key, np.shape(value)) for key, value in keyed(values))
        matches, errors = _compared(self.weights_dict, expected, "")
        for error in errors:
            say(f"...{error}")
        status = "error" if errors else "success"
        say(f"Compared with the reference model: {len(errors)} errors, {matches} weights match.")
        return {"status": status, "error_count": len(errors), "match_count": matches}

    # ---- Changing ----

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another name.

        Args:
            object_name: Its name or path.
            new_name: The new name alone, not a path.

        Raises:
            ArgumentError: There is no such object or there are several, or the new name is a path
                or is taken.
        """
        if "/" in new_name or not new_name:
            raise ArgumentError(
                "Argument `new_name` should be a leaf name, not a full path name.",
                received=repr(new_name),
            )
        owner, name, path = self._found(object_name)
        if new_name in owner:
            raise ArgumentError(
                f"There is an object {new_name!r} beside {object_name!r} already.",
                received=repr(new_name),
                fix="delete that one or rename it first",
            )
        renamed = {new_name if key == name else key: value for key, value in owner.items()}
        owner.clear()
        owner.update(renamed)
        new_path = f"{path.rpartition('/')[0]}/{new_name}".lstrip("/")
        self._move_names(path, new_path)

    def delete_object(self, object_name: str) -> None:
        """Remove an object, and all objects within it.

        Args:
            object_name: Its name or path.

        Raises:
            ArgumentError: There is no such object or there are several.
        """
        owner, name, path = self._found(object_name)
        del owner[name]
        self._move_names(path, None)

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: Its whole path: `layers/dense_2`.
            weights: Names of weights, mostly `"0"`, `"1"`, ..., -> arrays.

        Raises:
            ArgumentTypeError: `weights` is not a dict of arrays of numbers.
            ArgumentError: There is such an object already, or nothing to add it to.
        """
        arrays = _arrays(weights)
        above, _, name = object_path.rpartition("/")
        owner = self._at(above) if above else self.weights_dict
        if owner is None or not name:
            raise ArgumentError(
                f"Path {above!r} not found in model.", received=repr(object_path), fix=_LISTED
            )
        if name in owner:
            raise ArgumentError(
                f"The file has an object {object_path!r} already.",
                received=repr(object_path),
                fix="delete it first, or use add_weights",
            )
        owner[name] = arrays

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove a weight of an object.

        Args:
            object_name: The object's name or path.
            weight_name: The weight's name, such as `"0"`.

        Raises:
            ArgumentError: There is no such object or there are several, or it has no such weight.
        """
        owner, name, _ = self._found(object_name)
        weights = [key for key, value in owner[name].items() if not isinstance(value, dict)]
        if weight_name not in weights:
            raise ArgumentError(
                f"Weight {weight_name} not found in object {object_name}.",
                expected=f"one of {weights}",
                received=repr(weight_name),
            )
        del owner[name][weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights to an object; one of the same name is replaced.

        Args:
            object_name: The object's name or path.
            weights: Names of weights -> arrays.

        Raises:
            ArgumentTypeError: `weights` is not a dict of arrays of numbers.
            ArgumentError: There is no such object or there are several.
        """
        arrays = _arrays(weights)
        owner, name, _ = self._found(object_name)
        owner[name].update(arrays)

    # ---- Writing ----

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights into a file; one that is there is replaced at the very end.

        Args:
            filepath: A path that ends in `.weights.h5`.

        Raises:
            ArgumentError: The path has another ending, or the numbers of an object's weights have
                a gap.
            OSError: Writing failed; an old file is unchanged.
        """
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ArgumentError(
                "Invalid `filepath` argument: expected a `.weights.h5` extension.", received=path
            )
        tree = dict(_by_path(self.weights_dict, ""))
        for where, arrays in tree.items():
            numbers = sorted(int(key) for key in arrays if key.isdecimal())
            if numbers != list(range(len(numbers))):
                raise ArgumentError(
                    f"The numbers of the weights of {where!r} have a gap.",
                    expected="0, 1, ... up to the last one",
                    received=", ".join(map(str, numbers)),
                    fix="add what is missing, or delete the others too",
                )
        names = {where: one["name"] for where, one in self.object_metadata.items() if where in tree}
        write_weights(path, tree, names=names)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Another name of `save`."""
        self.save(filepath)

    # ---- Finding ----

    def _at(self, path: str) -> Objects | None:
        found: Any = self.weights_dict
        for name in path.split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else None

    def _found(self, given: str) -> tuple[Objects, str, str]:
        """The dict that an object is in, its name there, and its path."""
        paths = [given]
        if "/" not in given:
            known = (path for path, _ in _objects(self.weights_dict, ""))
            paths = [path for path in known if path.split("/")[-1] == given]
        if len(paths) > 1:
            raise ArgumentError(
                f"Name {given!r} occurs more than once in the model.",
                expected=f"one of the paths {paths}",
                received=repr(given),
            )
        if not paths or self._at(paths[0]) is None:
            raise ArgumentError(
                f"Object {given!r} not found in model.", received=repr(given), fix=_LISTED
            )
        above, _, name = paths[0].rpartition("/")
        owner = self._at(above) if above else self.weights_dict
        return owner or {}, name, paths[0]

    def _move_names(self, path: str, new_path: str | None) -> None:
        """Keep the names that users gave with their objects, or forget them."""
        kept = {}
        for where, found in self.object_metadata.items():
            if where != path and not where.startswith(f"{path}/"):
                kept[where] = found
            elif new_path is not None:
                kept[new_path + where.removeprefix(path)] = found
        self.object_metadata = kept


def _arrays(weights: Any) -> dict[str, np.ndarray]:
    """Weights by their names, checked.

    Raises:
        ArgumentTypeError: They are not a dict of arrays of numbers.
    """
    if not isinstance(weights, Mapping):
        raise ArgumentTypeError(
            "Argument `weights` should be a dict where keys are weight names (usually '0', '1',"
            " etc.) and values are NumPy arrays.",
            received=type(weights).__name__,
        )
    arrays = {name: np.asarray(value) for name, value in keyed(weights)}
    for name, array in arrays.items():
        if array.dtype.kind in "OSUMm":
            raise ArgumentTypeError(
                f"Weight {name!r} does not hold numbers.", received=f"dtype {array.dtype}"
            )
    return arrays


def _objects(objects: Objects, path: str) -> Iterator[tuple[str, Objects]]:
    """All objects with their paths."""
    for name, value in objects.items():
        if isinstance(value, dict):
            inner = f"{path}/{name}".lstrip("/")
            yield inner, value
            yield from _objects(value, inner)


def _by_path(objects: Objects, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The weights of the objects that have some, by the paths of the objects."""
    for where, found in [(path, objects), *_objects(objects, path)]:
        arrays = {name: value for name, value in found.items() if not isinstance(value, dict)}
        if arrays:
            yield where, arrays


def _compared(saved: Objects, expected: Objects, path: str) -> tuple[int, list[str]]:
    """How many weights match, and what does not."""
    matches, errors = 0, []
    for name in [*expected, *(name for name in saved if name not in expected)]:
        where = f"{path}/{name}"
        one, other = saved.get(name), expected.get(name)
        kind = "Object" if isinstance(one, dict) or isinstance(other, dict) else "Weight"
        if one is None or other is None:
            has, lacks = "reference model", "saved file"
            has, lacks = (has, lacks) if one is None else (lacks, has)
            errors.append(f"{kind} {where} present in {has}, missing from {lacks}")
        elif isinstance(one, dict) and isinstance(other, dict):
            inner = _compared(one, other, where)
            matches, errors = matches + inner[0], errors + inner[1]
        elif isinstance(one, dict) or isinstance(other, dict):
            errors.append(f"{where} is an object in one and a weight in the other")
        elif one.shape != other:
            errors.append(
                f"Weight shape mismatch for {where}: shape={other} in reference model,"
                f" shape={one.shape} in saved file"
            )
        else:
            matches += 1
    return matches, errors
