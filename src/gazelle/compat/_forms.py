"""The table of old forms: what modules, names, arguments and methods of Keras are called today.

This is data alone. The modules that answer for Keras, the check of a script and its migration
read it. Paths begin below `keras`: `"layers.Dense"`. What classes are called today, and their
arguments, is also what files of old versions hold: `gazelle._formats.old_names`.
"""

from __future__ import annotations

from gazelle._formats.old_names import ANY, ANY_OPTIMIZER, LAYERS, OPTIMIZER_CLASSES, PARTS, Renamed

# ---- Modules ----

# Old module -> today's.
MODULES: dict[str, str] = {
    "backend.tensorflow_backend": "backend",
    "callbacks.callbacks": "callbacks",
    "callbacks.tensorboard_v1": "callbacks",
    "datasets.cifar": "datasets",
    "engine.base_layer": "engine",
    "engine.functional": "engine",
    "engine.input_layer": "engine",
    "engine.network": "engine",
    "engine.saving": "engine",
    "engine.sequential": "engine",
    "engine.topology": "engine",
    "engine.training": "engine",
    "engine.training_arrays": "engine",
    "engine.training_generator": "engine",
    "engine.training_utils": "engine",
    "initializations": "initializers",
    "layers.activation": "layers",
    "layers.advanced_activations": "layers",
    "layers.convolutional": "layers",
    "layers.core": "layers",
    "layers.embeddings": "layers",
    "layers.experimental": "layers",
    "layers.experimental.preprocessing": "layers",
    "layers.merge": "layers",
    "layers.noise": "layers",
    "layers.normalization": "layers",
    "layers.pooling": "layers",
    "layers.preprocessing": "layers",
    "layers.recurrent": "layers",
    "layers.wrappers": "layers",
    "legacy.layers": "layers",
    "objectives": "losses",
    "optimizers.adadelta": "optimizers",
    "optimizers.adagrad": "optimizers",
    "optimizers.adam": "optimizers",
    "optimizers.adam_v2": "optimizers",
    "optimizers.adamax": "optimizers",
    "optimizers.experimental": "optimizers",
    "optimizers.gradient_descent_v2": "optimizers",
    "optimizers.learning_rate_schedule": "optimizers.schedules",
    "optimizers.legacy": "optimizers",
    "optimizers.nadam": "optimizers",
    "optimizers.optimizer_v2": "optimizers",
    "optimizers.rmsprop": "optimizers",
    "optimizers.rmsprop_v2": "optimizers",
    "optimizers.sgd": "optimizers",
    "utils.conv_utils": "utils",
    "utils.data_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.io_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.np_utils": "utils",
    "utils.training_utils": "utils",
    "utils.vis_utils": "utils",
    "utils.visualize_util": "utils",
}
# Files of Keras 3 that scripts name by `keras.src`, each within a room.
FILES = frozenset(
    {
        "activation", "base_layer", "callback", "common", "constraint", "dense", "dropout",
        "embedding", "functional", "generator", "global_state", "initializer", "input_layer",
        "input_spec", "keras_tensor", "layer", "loss", "losses", "metric", "metrics_utils",
        "model", "module_utils", "numerical_utils", "object_registration", "optimizer",
        "python_utils", "regularizer", "saving_api", "saving_lib", "sequential",
        "serialization_lib", "stateless_scope", "tracking", "trainer", "training", "variables",
    }
)  # fmt: skip
# Parts of a path that say nothing: `keras.src.layers` is `keras.layers`.
INNER = ("src", "api", "_tf_keras", "keras", "v1", "v2", "python")

# ---- Names ----

# Old name -> today's, of the same room unless a path is given.
NAMES: dict[str, str] = {
    "constraints.maxnorm": "MaxNorm",
    "constraints.nonneg": "NonNeg",
    "constraints.unitnorm": "UnitNorm",
    "layers.SyncBatchNormalization": "BatchNormalization",
    "layers.TimeDistributedDense": "Dense",
    "losses.cosine": "cosine_similarity",
    "losses.cosine_proximity": "cosine_similarity",
    "losses.kld": "kl_divergence",
    "losses.KLD": "kl_divergence",
    "losses.kullback_leibler_divergence": "kl_divergence",
    "losses.logcosh": "log_cosh",
    "losses.mae": "mean_absolute_error",
    "losses.MAE": "mean_absolute_error",
    "losses.mape": "mean_absolute_percentage_error",
    "losses.MAPE": "mean_absolute_percentage_error",
    "losses.mse": "mean_squared_error",
    "losses.MSE": "mean_squared_error",
    "losses.msle": "mean_squared_logarithmic_error",
    "losses.MSLE": "mean_squared_logarithmic_error",
    "losses.CosineProximity": "CosineSimilarity",
    "losses.Logcosh": "LogCosh",
    "metrics.cosine": "losses.cosine_similarity",
    "metrics.cosine_proximity": "losses.cosine_similarity",
    "metrics.CosineProximity": "CosineSimilarity",
    "optimizers.adadelta": "Adadelta",
    "optimizers.adagrad": "Adagrad",
    "optimizers.adam": "Adam",
    "optimizers.adamax": "Adamax",
    "optimizers.nadam": "Nadam",
    "optimizers.rmsprop": "RMSprop",
    "optimizers.sgd": "SGD",
    "utils.plot": "plot_model",
}

# ---- Arguments ----

_OF_GENERATORS = {
    "nb_epoch": "epochs",
    "nb_val_samples": "validation_steps",
    "val_samples": "steps",
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "max_q_size": "max_queue_size",
}
_WORKERS = {"workers": ANY, "use_multiprocessing": ANY, "max_queue_size": ANY}

# Callable -> how its arguments are called today, and which have no effect any more.
CALLS: dict[str, Renamed] = {
    **{f"layers.{name}": renamed for name, renamed in LAYERS.items()},
    **{f"constraints.{name}": renamed for name, renamed in PARTS.items() if "Norm" in name},
    **{f"optimizers.{name}": renamed for name, renamed in OPTIMIZER_CLASSES.items()},
    "optimizers.Optimizer": ANY_OPTIMIZER,
    "models.Model": Renamed("Model", {"input": "inputs", "output": "outputs"}),
    "Input": Renamed("Input", {"input_dtype": "dtype", "batch_input_shape": "batch_shape"}),
    "backend.random_normal": Renamed("random_normal", {"std": "stddev"}),
    "backend.random_uniform": Renamed("random_uniform", {"low": "minval", "high": "maxval"}),
    "callbacks.EarlyStopping": Renamed("EarlyStopping", {"epsilon": "min_delta"}),
    "callbacks.ModelCheckpoint": Renamed(
        "ModelCheckpoint", {}, {"load_weights_on_restart": (None, False)}
    ),
    "callbacks.ReduceLROnPlateau": Renamed("ReduceLROnPlateau", {"epsilon": "min_delta"}),
    "callbacks.ProgbarLogger": Renamed("ProgbarLogger", {}, {"count_mode": ANY}),
    "callbacks.TensorBoard": Renamed(
        "TensorBoard",
        {},
        {
            "batch_size": ANY,
            "write_grads": ANY,
            "embeddings_freq": ANY,
            "embeddings_layer_names": ANY,
            "embeddings_metadata": ANY,
            "embeddings_data": ANY,
            "profile_batch": ANY,
        },
    ),
    "datasets.imdb.load_data": Renamed("load_data", {"nb_words": "num_words"}),
    "datasets.reuters.load_data": Renamed("load_data", {"nb_words": "num_words"}),
    "utils.to_categorical": Renamed("to_categorical", {"nb_classes": "num_classes"}),
    "preprocessing.text.Tokenizer": Renamed("Tokenizer", {"nb_words": "num_words"}),
    "Model.compile": Renamed(
        "compile",
        {},
        {
            "sample_weight_mode": ANY,
            "target_tensors": (None,),
            "experimental_run_tf_function": ANY,
            "experimental_steps_per_execution": ANY,
            "distribute": (None,),
            "pss_evaluation_shards": ANY,
            "class_mode": ANY,
            "options": ANY,
            "run_metadata": ANY,
        },
    ),
    "Model.fit": Renamed("fit", {"nb_epoch": "epochs"}, _WORKERS),
    "Model.evaluate": Renamed("evaluate", {}, _WORKERS),
    "Model.predict": Renamed("predict", {}, _WORKERS),
    "Model.train_on_batch": Renamed("train_on_batch", {}, {"reset_metrics": ANY}),
    "Model.test_on_batch": Renamed("test_on_batch", {}, {"reset_metrics": ANY}),
    "Model.fit_generator": Renamed("fit", _OF_GENERATORS, _WORKERS),
    "Model.evaluate_generator": Renamed("evaluate", _OF_GENERATORS, _WORKERS),
    "Model.predict_generator": Renamed("predict", _OF_GENERATORS, _WORKERS),
    "Model.save": Renamed(
        "save", {}, {"save_format": ANY, "signatures": ANY, "options": ANY, "save_traces": ANY}
    ),
    "Model.save_weights": Renamed("save_weights", {}, {"save_format": ANY, "options": ANY}),
    "Model.load_weights": Renamed("load_weights", {}, {"reshape": (False,), "options": ANY}),
    "Model.summary": Renamed("summary", {}, {"wrap_width": ANY}),
}

# ---- Methods and attributes ----

# Old method or attribute -> what is written today.
MEMBERS: dict[str, str] = {
    "Model.fit_generator": "fit",
    "Model.evaluate_generator": "evaluate",
    "Model.predict_generator": "predict",
    "Model.predict_classes": "predict(x).argmax(axis=-1)",
    "Model.predict_proba": "predict",
    "Model.to_yaml": "to_json",
    "Layer.input_shape": "input.shape",
    "Layer.output_shape": "output.shape",
    "Layer.get_input_at": "input",
    "Layer.get_output_at": "output",
    "Metric.reset_states": "reset_state",
    "Optimizer.lr": "learning_rate",
}

# Names that metrics had, of which each is to be found under the others.
METRIC_NAMES: tuple[tuple[str, ...], ...] = (
    (
        "accuracy", "acc", "binary_accuracy", "categorical_accuracy",
        "sparse_categorical_accuracy",
    ),
    ("mse", "mean_squared_error", "MSE"),
    ("mae", "mean_absolute_error", "MAE"),
    ("mape", "mean_absolute_percentage_error", "MAPE"),
    ("msle", "mean_squared_logarithmic_error", "MSLE"),
    ("cosine_similarity", "cosine_proximity", "cosine"),
    ("kl_divergence", "kullback_leibler_divergence", "kld", "KLD"),
    ("log_cosh", "logcosh"),
    ("top_k_categorical_accuracy", "top_k_acc"),
)  # fmt: skip
