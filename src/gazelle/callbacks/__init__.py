"""Callbacks, whose hooks the training loop calls to observe, control or stop training."""

from gazelle.callbacks.backup_and_restore import BackupAndRestore
from gazelle.callbacks.base import Callback
from gazelle.callbacks.callback_list import CallbackList
from gazelle.callbacks.csv_logger import CSVLogger
from gazelle.callbacks.early_stopping import EarlyStopping
from gazelle.callbacks.history import History
from gazelle.callbacks.lambda_callback import LambdaCallback
from gazelle.callbacks.learning_rate_scheduler import LearningRateScheduler
from gazelle.callbacks.model_checkpoint import ModelCheckpoint
from gazelle.callbacks.progress import ProgbarLogger
from gazelle.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from gazelle.callbacks.remote_monitor import RemoteMonitor
from gazelle.callbacks.swap_ema_weights import SwapEMAWeights
from gazelle.callbacks.tensorboard import TensorBoard
from gazelle.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
