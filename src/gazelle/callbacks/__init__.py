"""Callbacks, whose hooks the training loop calls to observe, control or stop training."""

from gazelle.callbacks._backup_and_restore import BackupAndRestore
from gazelle.callbacks._base import Callback
from gazelle.callbacks._callback_list import CallbackList
from gazelle.callbacks._csv_logger import CSVLogger
from gazelle.callbacks._early_stopping import EarlyStopping
from gazelle.callbacks._history import History
from gazelle.callbacks._lambda_callback import LambdaCallback
from gazelle.callbacks._learning_rate_scheduler import LearningRateScheduler
from gazelle.callbacks._model_checkpoint import ModelCheckpoint
from gazelle.callbacks._progress import ProgbarLogger
from gazelle.callbacks._reduce_lr_on_plateau import ReduceLROnPlateau
from gazelle.callbacks._remote_monitor import RemoteMonitor
from gazelle.callbacks._swap_ema_weights import SwapEMAWeights
from gazelle.callbacks._tensorboard import TensorBoard
from gazelle.callbacks._terminate_on_nan import TerminateOnNaN

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
