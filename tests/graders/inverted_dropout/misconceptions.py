"""Named wrong solutions of the inverted dropout assignment: each is wrong in one exercise, as students are."""

from gradlab_staff.grading import misconception

# --- dropout -------------------------------------------------------------------------------------------

_DROPOUT = """
def dropout(X, drop_prob):
    assert 0 <= drop_prob <= 1
    if drop_prob == 1:
        return np.zeros(X.shape)
    {body}
"""


def _dropout(*lines: str) -> str:
    return _DROPOUT.format(body="\n    ".join(lines))


@misconception(
    exercise="dropout",
    explanation="drop_prob is used as the probability to keep an entry. In this assignment it is the probability to "
    "drop one: at 0.2 a fifth of the entries should become zero, not four fifths.",
    hint="With a drop probability of 0, how many entries does your mask keep?",
)
def keep_and_drop_swapped() -> str:
    return """
def dropout(X, drop_prob):
    assert 0 <= drop_prob <= 1
    if drop_prob == 0:
        return np.zeros(X.shape)
    mask = np.random.rand(*X.shape) < drop_prob
    return mask * X / drop_prob
"""


@misconception(
    exercise="dropout",
    explanation="The mask keeps entries with probability drop_prob, while what stays is divided by 1 − drop_prob. "
    "The share of zeros is wrong, and the factor does not belong to it.",
    hint="On which side of drop_prob must a uniform draw fall so that the entry is kept with probability 1 − "
    "drop_prob?",
)
def wrong_side_of_drop_prob() -> str:
    return _dropout("mask = np.random.rand(*X.shape) < drop_prob", "return mask * X / (1 - drop_prob)")


@misconception(
    exercise="dropout",
    explanation="Entries are dropped, but those that stay keep their size. So the expected value of an entry "
    "shrinks, and the next layer sees smaller sums in training than when it predicts.",
    hint="What is the expected value of one entry of your output, and what should it be?",
)
def forgot_to_rescale() -> str:
    return _dropout("mask = np.random.rand(*X.shape) >= drop_prob", "return mask * X")


@misconception(
    exercise="dropout",
    explanation="The right entries are dropped, but what stays is divided by drop_prob, the probability to drop, "
    "instead of the probability to stay. Only at 0.5 are the two the same.",
    hint="Work out the expected value of one entry for a drop probability of 0.2.",
)
def divided_by_drop_prob() -> str:
    return _dropout(
        "if drop_prob == 0:",
        "    return X",
        "mask = np.random.rand(*X.shape) >= drop_prob",
        "return mask * X / drop_prob",
    )


@misconception(
    exercise="dropout",
    explanation="At a drop probability of 1 nothing stays, and the rescaling divides by 1 − 1 = 0. Zero divided by "
    "zero is no number, and one such entry spoils every score.",
    hint="Treat the end where nothing stays by itself, before you divide.",
)
def divides_by_zero() -> str:
    return """
def dropout(X, drop_prob):
    assert 0 <= drop_prob <= 1
    keep_prob = 1 - drop_prob
    mask = np.random.rand(*X.shape) < keep_prob
    return mask * X / keep_prob
"""


@misconception(
    exercise="dropout",
    explanation="Any number is taken for a probability. With −0.1 or 1.1 the function answers something, and the "
    "mistake shows only much later, in a net that does not train.",
    hint="State at the top of the function what drop_prob must be.",
)
def no_range_check() -> str:
    return """
def dropout(X, drop_prob):
    if drop_prob == 1:
        return np.zeros(X.shape)
    keep_prob = 1 - drop_prob
    mask = np.random.rand(*X.shape) < keep_prob
    return mask * X / keep_prob
"""


@misconception(
    exercise="dropout",
    explanation="Zeros are assigned into a copy of X. That works for numbers, but autograd cannot follow an "
    "assignment: it sees only what is computed from X by functions of its np.",
    hint="Multiply by a mask, or let np.where choose.",
)
def assigns_to_entries() -> str:
    return _dropout(
        "out = np.array(X, dtype=float)",
        "out[np.random.rand(*X.shape) < drop_prob] = 0",
        "return out / (1 - drop_prob)",
    )


@misconception(
    exercise="dropout",
    explanation="The random numbers come from a normal distribution. It falls below a number with another "
    "probability than that number, so the share of zeros is wrong.",
    hint="Of which distribution is the share of draws below p just p?",
)
def normal_draw() -> str:
    return _dropout("mask = np.random.randn(*X.shape) > drop_prob", "return mask * X / (1 - drop_prob)")


@misconception(
    exercise="dropout",
    explanation="One mask is drawn for a row and used for all of them. Every entry needs a chance of its own, or "
    "all pictures of a minibatch lose the same units.",
    hint="Compare the shape of your mask with the shape of X.",
)
def one_mask_for_all_rows() -> str:
    return _dropout("mask = np.random.rand(*X.shape[1:]) >= drop_prob", "return mask * X / (1 - drop_prob)")


# --- net -----------------------------------------------------------------------------------------------

_NET = """
def net(X, params, training=False, drop_probs=(0.2, 0.5)):
    {on_data}
    H = np.maximum(X @ params["W1"] + params["b1"], 0)
    {after_first}
    H = np.maximum(H @ params["W2"] + params["b2"], 0)
    {after_second}
    scores = H @ params["W3"] + params["b3"]
    {after_scores}
    return scores
"""
_PARTS = {
    "on_data": "pass",
    "after_first": "H = dropout(H, drop_probs[0]) if training else H",
    "after_second": "H = dropout(H, drop_probs[1]) if training else H",
    "after_scores": "pass",
}


def _net(**parts: str) -> str:
    return _NET.format(**(_PARTS | parts))


@misconception(
    exercise="net",
    explanation="Units are dropped whether or not the net is training. Dropout is noise for training only; "
    "predictions should use every unit, and should not vary from call to call.",
    hint="Which of your lines looks at the argument training?",
)
def dropout_at_test_time() -> str:
    return _net(after_first="H = dropout(H, drop_probs[0])", after_second="H = dropout(H, drop_probs[1])")


@misconception(
    exercise="net",
    explanation="Both hidden layers drop their units with the first probability. The second layer has one of its own.",
    hint="Look at the index of drop_probs after the second hidden layer.",
)
def same_probability_twice() -> str:
    return _net(after_second="H = dropout(H, drop_probs[0]) if training else H")


@misconception(
    exercise="net",
    explanation="The two probabilities are used in the wrong order. The first one belongs to the first hidden layer.",
    hint="With drop_probs = (0.2, 0.5), which layer should lose half of its units?",
)
def probabilities_in_wrong_order() -> str:
    return _net(
        after_first="H = dropout(H, drop_probs[1]) if training else H",
        after_second="H = dropout(H, drop_probs[0]) if training else H",
    )


@misconception(
    exercise="net",
    explanation="Dropout comes before each hidden layer instead of after it. So pixels are dropped, and the units of "
    "the second hidden layer never are.",
    hint="Follow one picture through your net: what is the first thing that is dropped?",
)
def dropout_before_the_layers() -> str:
    return _net(
        on_data="X = dropout(X, drop_probs[0]) if training else X",
        after_first="H = dropout(H, drop_probs[1]) if training else H",
        after_second="pass",
    )


@misconception(
    exercise="net",
    explanation="The scores are dropped too. A score of a class is what the net says; setting it to zero at random "
    "teaches nothing.",
    hint="Only hidden units are dropped. How many calls of dropout do you need?",
)
def dropout_on_the_scores() -> str:
    return _net(after_scores="scores = dropout(scores, drop_probs[1]) if training else scores")


@misconception(
    exercise="net",
    explanation="Only the first hidden layer is followed by dropout. The units of the second one are never dropped, "
    "whatever its probability is.",
    hint="There are two hidden layers and two probabilities.",
)
def second_layer_not_dropped() -> str:
    return _net(after_second="pass")


@misconception(
    exercise="net",
    explanation="Nothing is ever dropped. So the net is the same in training as when it predicts.",
    hint="Where do you call dropout?",
)
def dropout_never_called() -> str:
    return _net(after_first="pass", after_second="pass")


@misconception(
    exercise="net",
    explanation="ReLU is applied to the scores as well. It makes every negative score zero, so the net cannot say "
    "that one unlikely class is less likely than another.",
    hint="ReLU belongs to hidden layers.",
)
def relu_on_the_scores() -> str:
    return _net(after_scores="scores = np.maximum(scores, 0)")


# --- train_from_scratch --------------------------------------------------------------------------------

_TRAIN = """
def train_from_scratch(params, data, net, forward_backward, num_epochs=5, lr=0.5, batch_size=256):
    params = {{name: np.array(value) for name, value in params.items()}}
    history = {{"loss_history": [], "train_acc_history": [], "test_acc_history": []}}
    N = len(data["y_train"])
    {before}
    for epoch in range(num_epochs):
        losses, accuracies = [], []
        {order}
        for start in range(0, N, batch_size):
            rows = order[start:start + batch_size]
            X, y = data["X_train"][rows], data["y_train"][rows]
            loss, scores, grads = forward_backward(params, X, y)
            {step}
            losses.append(loss)
            accuracies.append(np.mean(np.argmax(scores, axis=1) == y))
        {answers}
        history["loss_history"].append({loss})
        history["train_acc_history"].append({train_acc})
        history["test_acc_history"].append(np.mean(answers == data["y_test"]))
    return params, history
"""
_LINES = {
    "before": "pass",
    "order": "order = np.random.permutation(N)",
    "step": "params = {name: params[name] - lr * grads[name] for name in params}",
    "answers": 'answers = np.argmax(net(data["X_test"], params), axis=1)',
    "loss": "np.mean(losses)",
    "train_acc": "np.mean(accuracies)",
}


def _train(**lines: str) -> str:
    return _TRAIN.format(**(_LINES | lines))


@misconception(
    exercise="train_from_scratch",
    explanation="The parameters move along the gradient, not against it. So every step makes the loss larger.",
    hint="The gradient points to where the loss grows. Look at the sign of your step.",
)
def step_uphill() -> str:
    return _train(step="params = {name: params[name] + lr * grads[name] for name in params}")


@misconception(
    exercise="train_from_scratch",
    explanation="The gradient is divided by the batch size once more. The loss is a mean already, so its gradient "
    "is one too, and your steps are hundreds of times too small.",
    hint="Compare one of your steps with lr times the gradient that you got.",
)
def divided_by_the_batch_size_again() -> str:
    return _train(step="params = {name: params[name] - lr * grads[name] / len(y) for name in params}")


@misconception(
    exercise="train_from_scratch",
    explanation="Only the weights are moved, the biases stay at what they were. They are parameters like the others.",
    hint="How many arrays are in grads, and how many do you use?",
)
def biases_never_moved() -> str:
    return _train(
        step='params = {name: params[name] - lr * grads[name] if name[0] == "W" else params[name] for name in params}'
    )


@misconception(
    exercise="train_from_scratch",
    explanation="The test accuracy is measured with dropout on. Units are dropped while the net predicts, which makes "
    "it look worse than it is, and another number comes out each time.",
    hint="How must net be called so that it uses every unit?",
)
def test_accuracy_with_dropout() -> str:
    return _train(answers='answers = np.argmax(net(data["X_test"], params, training=True), axis=1)')


@misconception(
    exercise="train_from_scratch",
    explanation="The test accuracy is taken at the start of the epoch, with parameters that have not seen it yet. "
    "Each entry belongs to the epoch before.",
    hint="When, within an epoch, do you call net?",
)
def test_accuracy_an_epoch_late() -> str:
    early = 'order, answers = np.random.permutation(N), np.argmax(net(data["X_test"], params), axis=1)'
    return _train(order=early, answers="pass")


@misconception(
    exercise="train_from_scratch",
    explanation="The training accuracy is measured at the end of the epoch, over the whole training set and without "
    "dropout. That is a fine figure, but not the one asked for: here it is the average over the epoch's "
    "minibatches, at no extra cost.",
    hint="forward_backward has already returned the scores that you need.",
)
def training_accuracy_measured_afterwards() -> str:
    return _train(train_acc='np.mean(np.argmax(net(data["X_train"], params), axis=1) == data["y_train"])')


@misconception(
    exercise="train_from_scratch",
    explanation="loss_history holds the loss of the last minibatch of each epoch. One minibatch is a noisy sample; "
    "the mean over the epoch is asked for.",
    hint="Collect the losses of an epoch before you average.",
)
def last_loss_only() -> str:
    return _train(loss="losses[-1]")


@misconception(
    exercise="train_from_scratch",
    explanation="The training images are shuffled once. So every epoch goes through the same minibatches in the same "
    "order.",
    hint="Where do you draw the order: before the loop over epochs, or in it?",
)
def same_minibatches_each_epoch() -> str:
    return _train(before="order = np.random.permutation(N)", order="pass")


# --- concise -------------------------------------------------------------------------------------------

_CONCISE = """
def concise(sizes=(784, 256, 256, 10), drop_probs=(0.2, 0.5), lr=0.5, batch_size=256):
    D, H1, H2, C = sizes
    layers = [
        {layers}
    ]
    net = Sequential(*layers)
    return net, {trainer}
"""


def _concise(*layers: str, trainer: str = "Trainer(net, lr=lr, batch_size=batch_size)") -> str:
    return _CONCISE.format(layers=",\n        ".join(layers), trainer=trainer)


_FIRST, _SECOND, _LAST = 'Dense(D, H1, activation="relu")', 'Dense(H1, H2, activation="relu")', "Dense(H2, C)"
_DROP = ("Dropout(drop_probs[0])", "Dropout(drop_probs[1])")


@misconception(
    exercise="concise",
    explanation="The hidden layers have no activation. Without ReLU three layers in a row can do no more than one.",
    hint="Dense takes a third argument.",
)
def no_activation() -> str:
    return _concise("Dense(D, H1)", _DROP[0], "Dense(H1, H2)", _DROP[1], _LAST)


@misconception(
    exercise="concise",
    explanation="The last layer has ReLU too. It makes every negative score zero.",
    hint="The last layer gives scores, which may be negative.",
)
def relu_after_the_last_layer() -> str:
    return _concise(_FIRST, _DROP[0], _SECOND, _DROP[1], 'Dense(H2, C, activation="relu")')


@misconception(
    exercise="concise",
    explanation="Dropout is given the probability to keep a unit. The argument of this course's "
    "Dropout is the probability to drop one.",
    hint="What does the documentation of Dropout say about its argument?",
)
def dropout_told_what_to_keep() -> str:
    return _concise(_FIRST, "Dropout(1 - drop_probs[0])", _SECOND, "Dropout(1 - drop_probs[1])", _LAST)


@misconception(
    exercise="concise",
    explanation="Each Dropout stands before its layer instead of after it. So pixels are dropped, and the units of "
    "the second hidden layer never are.",
    hint="What does the first layer of your Sequential do?",
)
def dropout_before_each_layer() -> str:
    return _concise(_DROP[0], _FIRST, _DROP[1], _SECOND, _LAST)


@misconception(
    exercise="concise",
    explanation="There is no Dropout in the net. So it is trained like a plain one, and nothing keeps it from "
    "learning by heart.",
    hint="How many layers does the net of exercise 2 have, if dropout counts as one?",
)
def no_dropout_layers() -> str:
    return _concise(_FIRST, _SECOND, _LAST)


@misconception(
    exercise="concise",
    explanation="The trainer got a net of its own. It trains that one, and the net that you return stays as it was.",
    hint="There should be one Sequential. Whom does the Trainer know?",
)
def trainer_of_another_net() -> str:
    return _concise(
        _FIRST,
        _DROP[0],
        _SECOND,
        _DROP[1],
        _LAST,
        trainer='Trainer(Sequential(Dense(D, H1, "relu"), Dense(H1, H2, "relu"), Dense(H2, C)), lr=lr, '
        "batch_size=batch_size)",
    )
