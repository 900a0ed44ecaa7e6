"""Writes a program for an old Keras in its modern form; comments and layout stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider

import gazelle.backend
from gazelle._formats.old_names import Renamed
from gazelle.compat._forms import CALLS, MEMBERS
from gazelle.compat._modules import path_of
from gazelle.compat._reading import below_keras, dotted, line_of, parsed, renamed_call, today

TARGETS = ("gazelle", "keras")
_INSTEAD = {"predict_classes": ".argmax(axis=-1)"}  # what follows the modern call
_STILL_TAKEN = ("input_dim", "input_length", "input_shape")
_BACKEND = frozenset(gazelle.backend.__all__)
_METRICS = {"acc": "accuracy", "val_acc": "val_accuracy"}


@dataclass
class Migration:
    """A program in its modern form.

    Args:
        source: The text.
        notes: Line (of the old program) and what was changed, or what is left to do.
    """

    source: str
    notes: list[tuple[int, str]] = field(default_factory=list)


def migrate(path: Path, source: str, target: str = "gazelle") -> Migration:
    """The modern form of a program.

    Args:
        path: Its name, for errors.
        source: Its text.
        target: `"gazelle"` or `"keras"` (Keras 3).

    Raises:
        DataError: It is not Python 3.
    """
    wrapper = parsed(source, str(path))
    has_accuracy = "'accuracy'" in source.replace('"', "'")
    modernizer = _Modernizer(target, _uses_tensorflow(wrapper), has_accuracy)
    changed = wrapper.visit(modernizer)
    notes = sorted(set(modernizer.notes))
    return Migration(changed.code, notes)


class _TensorFlow(cst.CSTVisitor):
    """Whether a program uses TensorFlow for more than `tf.keras`."""

    METADATA_DEPENDENCIES = (QualifiedNameProvider,)

    def __init__(self) -> None:
        self.used = False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        """Look at the longest name alone."""
        names = [found.name for found in self.get_metadata(QualifiedNameProvider, node, set())]
        for name in names:
            if name.startswith("tensorflow.") and below_keras(name) is None:
                self.used = True
        return not any(name.startswith("tensorflow.") for name in names)


def _uses_tensorflow(wrapper: MetadataWrapper) -> bool:
    visitor = _TensorFlow()
    wrapper.visit(visitor)
    return visitor.used


class _Modernizer(cst.CSTTransformer):
    """Replaces modules, names, arguments and methods by today's."""

    METADATA_DEPENDENCIES = (QualifiedNameProvider, PositionProvider)

    def __init__(self, target: str, keeps_tensorflow: bool, has_accuracy: bool):
        super().__init__()
        self.target = target
        self.keeps_tensorflow = keeps_tensorflow
        self.has_accuracy = has_accuracy
        self.notes: list[tuple[int, str]] = []

    def _note(self, node: cst.CSTNode, text: str) -> None:
        self.notes.append((line_of(self, node), text))

    def _path(self, node: cst.CSTNode) -> str | None:
        """The path below `keras` of what a name stands for."""
        for found in self.get_metadata(QualifiedNameProvider, node, set()):
            path = below_keras(found.name)
            if path:
                return path
        return None

    # ---- Imports ----

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> Any:
        """`from keras.layers.core import Dense` as `from gazelle.layers import Dense`."""
        module = "" if original_node.module is None else dotted(original_node.module)
        if original_node.relative or not module:
            return updated_node
        if module == "tensorflow" and not isinstance(original_node.names, cst.ImportStar):
            return self._from_tensorflow(original_node, updated_node)
        path = below_keras(module)
        if path is None:
            return updated_node
        room = path_of(path) if path else ""
        if room is None:
            self._note(original_node, f"{module}: nothing replaces it")
            return updated_node
        name = f"{self.target}.{room}" if room else self.target
        if room == "engine":
            name = f"{self.target}.layers"
        if name != module:
            self._note(original_node, f"{module} -> {name}")
        updated_node = updated_node.with_changes(module=_dotted_node(name))
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        names = [self._alias(path, alias) for alias in updated_node.names]
        return updated_node.with_changes(names=names)

    def _alias(self, path: str, alias: cst.ImportAlias) -> cst.ImportAlias:
        old = dotted(alias.name)
        new = (today(f"{path}.{old}" if path else old) or old).rpartition(".")[2]
        return alias if new == old else alias.with_changes(name=cst.Name(new))

    def _from_tensorflow(self, original: cst.ImportFrom, updated: cst.ImportFrom) -> Any:
        """`from tensorflow import keras` as `import gazelle as keras`."""
        names = [dotted(alias.name) for alias in updated.names]  # pyright: ignore[reportGeneralTypeIssues]
        if names != ["keras"]:
            return updated
        self._note(original, f"tensorflow.keras -> {self.target}")
        alias = updated.names[0]  # pyright: ignore[reportIndexIssue]
        return cst.Import(names=[self._as(alias.asname, "keras")])

    def _as(self, asname: cst.AsName | None, name: str) -> cst.ImportAlias:
        """`gazelle as keras`, so that the names of the program stay."""
        known = asname.name.value if asname and isinstance(asname.name, cst.Name) else name
        module = cst.Name(self.target)
        if known == self.target:
            return cst.ImportAlias(module)
        return cst.ImportAlias(module, asname=cst.AsName(cst.Name(known)))

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> Any:
        """`import keras` as `import gazelle as keras`; `import tensorflow` goes if it can."""
        aliases = []
        for alias in updated_node.names:
            name = dotted(alias.name)
            path = below_keras(name)
            if path == "":
                aliases.append(self._as(alias.asname, "keras"))
                if self.target != name:
                    self._note(original_node, f"{name} -> {self.target}")
            elif path and path_of(path) is not None:
                module = _dotted_node(f"{self.target}.{path_of(path)}")
                aliases.append(alias.with_changes(name=module))
            elif name == "tensorflow" and not self.keeps_tensorflow:
                aliases.append(self._as(None, "keras"))
                self._note(original_node, f"tensorflow -> {self.target}")
            else:
                if name == "tensorflow":
                    aliases.append(self._as(None, "keras"))
                    self._note(original_node, "the rest of the program still uses TensorFlow")
                aliases.append(alias)
        aliases = [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in aliases]
        return updated_node.with_changes(names=aliases)

    # ---- Names ----

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
        """`tf.keras.layers.core.Dense` as `keras.layers.Dense`."""
        path = self._path(original_node)
        if path is None:
            names = self.get_metadata(QualifiedNameProvider, original_node, set())
            if any(found.name == "tensorflow.keras" for found in names):
                return cst.Name("keras")
            return updated_node
        new = today(path)
        if new is None or not isinstance(updated_node.value, cst.Attribute | cst.Name):
            return updated_node
        old, name = original_node.attr.value, new.rpartition(".")[2]
        if new.startswith("backend.") and name not in _BACKEND:
            self._note(original_node, f"K.{name} is a function of {self.target}.ops today")
        if old != name:
            self._note(original_node, f"{old} -> {name}")
            return updated_node.with_changes(attr=cst.Name(name))
        return updated_node

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        """A name that was imported under its old form."""
        path = self._path(original_node)
        if path is None or original_node.value != path.rpartition(".")[2]:
            return updated_node
        new = (today(path) or path).rpartition(".")[2]
        if path_of(path) is not None or new == original_node.value:
            return updated_node
        self._note(original_node, f"{original_node.value} -> {new}")
        return updated_node.with_changes(value=new)

    # ---- Calls ----

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        """Arguments and methods under today's names."""
        path = self._path(original_node.func)
        if path is not None:
            renamed = renamed_call(path)
            return (
                updated_node
                if renamed is None
                else self._call(original_node, updated_node, renamed)
            )
        if not isinstance(original_node.func, cst.Attribute):
            return updated_node
        name = original_node.func.attr.value
        renamed = CALLS.get(f"Model.{name}")
        if renamed is not None:
            updated_node = self._call(original_node, updated_node, renamed)
        if f"Model.{name}" in MEMBERS:
            return self._method(original_node, updated_node, name)
        return updated_node

    def _call(self, original: cst.Call, updated: cst.Call, renamed: Renamed) -> cst.Call:
        args = []
        for arg in updated.args:
            name = arg.keyword.value if arg.keyword else ""
            if name in renamed.arguments:
                new = renamed.arguments[name]
                self._note(original, f"{name}= -> {new}=")
                arg = arg.with_changes(keyword=cst.Name(new))
            elif name in renamed.dropped and name not in (
                "input_dim",
                "input_length",
                "input_shape",
            ):
                self._note(original, f"{name}= has no effect and is left out")
                continue
            elif name == "decay" and renamed.arguments.get("lr") == "learning_rate":
                self._note(
                    original,
                    "decay= is left: write learning_rate=InverseTimeDecay(rate, 1, decay)",
                )
            args.append(arg)
        if args and len(args) < len(updated.args):
            args[-1] = args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated.with_changes(args=args)

    def _method(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression:
        new = "predict" if name in _INSTEAD else MEMBERS[f"Model.{name}"]
        self._note(original, f".{name}() -> .{new}()" + _INSTEAD.get(name, ""))
        if name in ("fit_generator", "evaluate_generator", "predict_generator"):
            updated = self._counted(original, updated)
        function = updated.func
        if isinstance(function, cst.Attribute):
            updated = updated.with_changes(func=function.with_changes(attr=cst.Name(new)))
        if name not in _INSTEAD:
            return updated
        equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        axis = cst.Arg(cst.parse_expression("-1"), keyword=cst.Name("axis"), equal=equal)
        return cst.Call(cst.Attribute(updated, cst.Name("argmax")), [axis])

    def _counted(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Keras 1 counted the samples of a generator, and today its batches are counted."""
        args = []
        for arg in updated.args:
            if arg.keyword and arg.keyword.value in ("samples_per_epoch", "nb_val_samples"):
                self._note(
                    original, f"{arg.keyword.value}= counts samples; divide by the batch size"
                )
                new = {"samples_per_epoch": "steps_per_epoch"}.get(
                    arg.keyword.value, "validation_steps"
                )
                arg = arg.with_changes(keyword=cst.Name(new))
            args.append(arg)
        return updated.with_changes(args=args)

    # ---- Strings ----

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString:
        """`"val_acc"` where the program measures `"accuracy"`."""
        text = original_node.evaluated_value
        if not self.has_accuracy or text not in _METRICS:
            return updated_node
        self._note(original_node, f"{text!r} -> {_METRICS[text]!r}")
        quote = original_node.quote
        return updated_node.with_changes(value=f"{quote}{_METRICS[text]}{quote}")


def _dotted_node(name: str) -> Any:
    return cst.parse_expression(name)


def written(notes: Sequence[tuple[int, str]]) -> str:
    """The notes, one line each."""
    return "\n".join(f"{line:>5}  {text}" for line, text in notes)
