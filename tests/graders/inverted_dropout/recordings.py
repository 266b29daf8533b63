"""What `gradlab record inverted_dropout` records of the reference. `nb` has the names of the instructor notebook."""

import numpy as np

SEED = 231
TRAINING, TEST, EPOCHS = 20_000, 2_000, 4  # a third of the set: enough to learn, done in seconds


def published_dropout(nb):
    """The published example: drop probabilities 0, 0.5 and 1 on the numbers from 0 to 15."""
    np.random.seed(SEED)
    X = np.arange(16).reshape(2, 8)
    return {"seed": SEED, "drop_prob": {drop_prob: nb.dropout(X, drop_prob) for drop_prob in (0, 0.5, 1)}}


def published_conventions(nb):
    """The figures of the assignment Dropout, which keeps with p, from a dropout that drops with 1 − p."""
    np.random.seed(SEED)
    x = np.random.randn(500, 500) + 10
    blocks = {}
    for p in (0.25, 0.4, 0.7):
        out = nb.dropout(x, 1 - p)
        blocks[p] = {"mean_train": out.mean(), "zeros_train": (out == 0).mean()}
    return {"seed": SEED, "mean_input": x.mean(), "p": blocks}


def training_from_scratch(nb):
    """The net trained on a third of the stand-in data."""
    data = nb.get_FashionMNIST_data(num_training=TRAINING, num_test=TEST)
    np.random.seed(SEED)
    _, history = nb.train_from_scratch(nb.make_params(), data, nb.net, nb.forward_backward, num_epochs=EPOCHS)
    return {"seed": SEED, **{name: np.array(values, dtype=np.float64) for name, values in history.items()}}


def training_concise(nb):
    """The concise net trained on the same."""
    data = nb.get_FashionMNIST_data(num_training=TRAINING, num_test=TEST)
    np.random.seed(SEED)
    _, trainer = nb.concise()
    trainer.fit(data, num_epochs=EPOCHS)
    names = ("loss_history", "train_acc_history", "test_acc_history")
    return {"seed": SEED, **{name: getattr(trainer, name) for name in names}}
