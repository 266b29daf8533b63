"""Named wrong solutions of the two-layer net: each is wrong in one exercise, in a way that students are."""

from gradlab_staff.grading import misconception

# --- scores --------------------------------------------------------------------------------------------

_SCORES = """
def compute_scores(params, X):
    W1, b1 = params["W1"], params["b1"]
    W2, b2 = params["W2"], params["b2"]
    hidden = {hidden}
    return {scores}
"""


def _scores(**changes: str) -> str:
    return _SCORES.format(**{"hidden": "np.maximum(0, X.dot(W1) + b1)", "scores": "hidden.dot(W2) + b2", **changes})


@misconception(
    exercise="scores",
    explanation="There is no ReLU between the two layers. Two affine layers in a row are one affine layer: "
    "such a net cannot learn more than a single layer can.",
    hint="What should become of a hidden number below zero?",
)
def relu_missing() -> str:
    return _scores(hidden="X.dot(W1) + b1")


@misconception(
    exercise="scores",
    explanation="ReLU is applied to the scores as well. A score may be negative; what is cut off at zero "
    "cannot be told apart any more.",
    hint="How many times does the net of this course use ReLU, and after which layer?",
)
def relu_on_the_scores() -> str:
    return _scores(scores="np.maximum(0, hidden.dot(W2) + b2)")


@misconception(
    exercise="scores",
    explanation="The function returns probabilities, not scores. Softmax belongs to the loss, which would "
    "apply it a second time.",
    hint="Do the rows of your scores sum to 1? They should not.",
)
def probabilities_instead_of_scores() -> str:
    return _SCORES.format(hidden="np.maximum(0, X.dot(W1) + b1)", scores="_softmax(hidden.dot(W2) + b2)") + (
        """

def _softmax(scores):
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)
"""
    )


@misconception(
    exercise="scores",
    explanation="The biases are left out. While they are zero, as in a new net, nothing shows; but training "
    "moves them.",
    hint="What are the scores of an example of zeros?",
)
def biases_left_out() -> str:
    return _scores(hidden="np.maximum(0, X.dot(W1))", scores="hidden.dot(W2)")


# --- loss ----------------------------------------------------------------------------------------------

_LOSS = """
def compute_loss(params, X, y, reg):
    scores = compute_scores(params, X)
    scores = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = {data}
    loss += {factor} * reg * ({squares})
    return loss
"""


def _loss(**changes: str) -> str:
    blanks = {
        "data": "np.sum(-np.log(probs[np.arange(X.shape[0]), y])) / X.shape[0]",
        "factor": "1.0",
        "squares": 'np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2)',
    }
    return _LOSS.format(**{**blanks, **changes})


@misconception(
    exercise="loss",
    explanation="There is one half before the regulariser. Many courses write it so, because it cancels the 2 "
    "of the derivative; in this one the regulariser is reg times the sum of the squares.",
    hint="Compare the formula of the loss in exercise 2 with yours, factor by factor.",
)
def half_in_the_regulariser() -> str:
    return _loss(factor="0.5")


@misconception(
    exercise="loss",
    explanation="The biases are regularised too. Only weights are: a bias does not make the net more complex.",
    hint="Which parameters appear in your regulariser?",
)
def biases_regularised() -> str:
    return _loss(squares="sum(np.sum(value**2) for value in params.values())")


@misconception(
    exercise="loss",
    explanation="The regulariser is left out of the loss, or multiplied by zero. So reg changes nothing.",
    hint="Call the loss with reg=0 and with reg=1. By how much should they differ?",
)
def regulariser_left_out() -> str:
    return _loss(factor="0.0")


@misconception(
    exercise="loss",
    explanation="Only one layer's weights are regularised. The sum goes over W1 and W2.",
    hint="Which weights could grow without any cost?",
)
def one_layer_regularised() -> str:
    return _loss(squares='np.sum(params["W1"] ** 2)')


@misconception(
    exercise="loss",
    explanation="The losses of the examples are summed and not averaged. So the loss grows with the batch.",
    hint="What does your loss give for the same example twice in a batch?",
)
def sum_instead_of_mean() -> str:
    return _loss(data="np.sum(-np.log(probs[np.arange(X.shape[0]), y]))")


# --- gradients -----------------------------------------------------------------------------------------

_GRADIENTS = """
def compute_gradients(params, X, y, reg):
    W1, b1 = params["W1"], params["b1"]
    W2, b2 = params["W2"], params["b2"]
    N = X.shape[0]
    pre = X.dot(W1) + b1
    h1 = np.maximum(0, pre)
    scores = h1.dot(W2) + b2
    scores = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    dscores = probs.copy()
    dscores[np.arange(N), y] -= 1
    {mean}
    grads = {{}}
    grads["W2"] = h1.T.dot(dscores) + {decay} * W2
    grads["b2"] = np.sum(dscores, axis=0) + {bias_decay} * b2
    dh = dscores.dot(W2.T)
    {relu}
    grads["W1"] = X.T.dot(dh) + {decay} * W1
    grads["b1"] = np.sum(dh, axis=0) + {bias_decay} * b1
    return grads
"""


def _gradients(**changes: str) -> str:
    blanks = {"mean": "dscores /= N", "decay": "2 * reg", "bias_decay": "0", "relu": "dh[h1 <= 0] = 0"}
    return _GRADIENTS.format(**{**blanks, **changes})


@misconception(
    exercise="gradients",
    explanation="The factor 2 is missing in the gradient of the regulariser: its derivative is 2 · reg · W, "
    "because this course's regulariser, reg · W², has no one half. The final loss of a training "
    "hardly shows it; a gradient check does.",
    hint="Differentiate reg · W² by W, on paper.",
)
def factor_2_missing() -> str:
    return _gradients(decay="reg")


@misconception(
    exercise="gradients",
    explanation="The regulariser is part of the loss, but its derivative is not in the gradients. So reg does not "
    "pull the weights towards zero.",
    hint="Compare your gradients for reg=0 and reg=1. Should they be equal?",
)
def regulariser_not_in_the_gradients() -> str:
    return _gradients(decay="0")


@misconception(
    exercise="gradients",
    explanation="The biases' gradients hold a regulariser. The loss has none, so they do not fit it.",
    hint="Which parameters appear in the regulariser of the loss?",
)
def biases_regularised_in_the_gradients() -> str:
    return _gradients(bias_decay="2 * reg")


@misconception(
    exercise="gradients",
    explanation="The gradient does not go through ReLU: hidden units that were cut off get a gradient, too. "
    "They did not touch the loss, so theirs is zero.",
    hint="If a unit's number is −3 before ReLU, how much does the loss change when it becomes −2.9?",
)
def relu_not_in_the_backward_pass() -> str:
    return _gradients(relu="pass")


@misconception(
    exercise="gradients",
    explanation="The gradients are sums over the batch, while the loss is its mean. They are too large by the "
    "number of examples.",
    hint="Where does the division by N of the loss show up in its derivative?",
)
def gradients_not_averaged() -> str:
    return _gradients(mean="pass")


# --- predict -------------------------------------------------------------------------------------------


@misconception(
    exercise="predict",
    explanation="The maximum is taken over the examples (axis 0), not over the classes. It says which example suits a "
    "class best.",
    hint="How many labels should come out for 7 examples and 12 classes?",
)
def argmax_over_the_examples() -> str:
    return """
def predict_labels(params, X):
    return np.argmax(compute_scores(params, X), axis=0)
"""


@misconception(
    exercise="predict",
    explanation="The function returns the highest score of each example. Asked for is the class that has it.",
    hint="np.max gives a value. Which function gives its place?",
)
def score_instead_of_label() -> str:
    return """
def predict_labels(params, X):
    return np.max(compute_scores(params, X), axis=1)
"""


@misconception(
    exercise="predict",
    explanation="The class with the lowest score is chosen. A high score speaks for a class, so this is the one that "
    "fits worst.",
    hint="Does a high score speak for a class, or against it?",
)
def lowest_score() -> str:
    return """
def predict_labels(params, X):
    return np.argmin(compute_scores(params, X), axis=1)
"""


# --- train ---------------------------------------------------------------------------------------------

_TRAIN = """
def train_net(net, X, y, X_val, y_val, learning_rate=1e-3, learning_rate_decay=0.95,
              reg=5e-6, num_iters=100, batch_size=200, verbose=False):
    num_train = X.shape[0]
    iterations_per_epoch = max(num_train // batch_size, 1)
    loss_history, train_acc_history, val_acc_history = [], [], []
    for it in range(num_iters):
        idx = {rows}
        X_batch = X[idx]
        y_batch = {labels}
        loss, grads = net.loss(X_batch, y=y_batch, reg={reg})
        loss_history.append(loss)
        for key in {moved}:
            net.params[key] {sign}= learning_rate * grads[key]
        if verbose and it % 100 == 0:
            print("iteration %d / %d: loss %f" % (it, num_iters, loss))
        if it % iterations_per_epoch == 0:
            train_acc_history.append((net.predict(X_batch) == y_batch).mean())
            val_acc_history.append({val})
            {decay}
        {always}
    return {{"loss_history": loss_history, "train_acc_history": train_acc_history, "val_acc_history": val_acc_history}}
"""


def _train(**changes: str) -> str:
    blanks = {
        "rows": "np.random.choice(num_train, batch_size, replace=True)",
        "labels": "y[idx]",
        "reg": "reg",
        "moved": "list(net.params)",
        "sign": "-",
        "val": "(net.predict(X_val) == y_val).mean()",
        "decay": "learning_rate *= learning_rate_decay",
        "always": "pass",
    }
    return _TRAIN.format(**{**blanks, **changes})


@misconception(
    exercise="train",
    explanation="The biases are never updated. They stay at zero, where they started.",
    hint="Which four parameters has the net, and which of them do you step?",
)
def biases_never_updated() -> str:
    return _train(moved='("W1", "W2")')


@misconception(
    exercise="train",
    explanation="The learning rate is never multiplied by learning_rate_decay. So the last steps are as large as the "
    "first.",
    hint="What should the learning rate be in the third epoch?",
)
def no_decay() -> str:
    return _train(decay="pass")


@misconception(
    exercise="train",
    explanation="The learning rate is multiplied by its decay after every iteration, not once an epoch. So it is "
    "almost zero long before the training is over.",
    hint="How often does your decay run in an epoch of ten iterations?",
)
def decay_every_iteration() -> str:
    return _train(decay="pass", always="learning_rate *= learning_rate_decay")


@misconception(
    exercise="train",
    explanation="The steps go uphill. The gradient is added instead of subtracted, so the loss grows.",
    hint="The gradient points to where the loss grows. Where should the step go?",
)
def uphill() -> str:
    return _train(sign="+")


@misconception(
    exercise="train",
    explanation="Every iteration takes the same first examples. The rest of the training data is never learnt from.",
    hint="Print the rows of two minibatches.",
)
def always_the_first_batch() -> str:
    return _train(rows="np.arange(batch_size)")


@misconception(
    exercise="train",
    explanation="The labels of a minibatch are not those of its examples. Rows are drawn for one and not for the "
    "other.",
    hint="For row 17 of X, which label belongs to it?",
)
def labels_of_other_examples() -> str:
    return _train(labels="y[np.random.choice(num_train, batch_size, replace=True)]")


@misconception(
    exercise="train",
    explanation="The validation accuracy is measured on the training minibatch. Then it cannot show whether "
    "the net learnt by heart, which is what it is for.",
    hint="Which examples and labels does val_acc_history compare?",
)
def validation_on_the_minibatch() -> str:
    return _train(val="(net.predict(X_batch) == y_batch).mean()")


@misconception(
    exercise="train",
    explanation="reg is not passed on to the loss. So the net is trained without any regulariser.",
    hint="What does net.loss use for reg, if it is not told?",
)
def reg_not_passed_on() -> str:
    return _train(reg="0.0")


# --- tuning --------------------------------------------------------------------------------------------

_TUNE = """
def tune(X_train, y_train, X_val, y_val, num_iters=300):
    results, best_val, best_net = {{}}, -1, None
    for lr in {rates}:
        for reg in (0.1, 0.5):
            net = TwoLayerNet(X_train.shape[1], 50, 10)
            net.train({data}, num_iters=num_iters, learning_rate=lr, reg=reg)
            train_acc = np.mean(net.predict(X_train) == y_train)
            val_acc = np.mean(net.predict(X_val) == y_val)
            results[(lr, reg)] = val_acc
            if {better}:
                best_val, best_net = {score}, net
    return best_net, results
"""


def _tune(**changes: str) -> str:
    blanks = {
        "rates": "(2e-3, 1e-3, 5e-4, 1e-4)",
        "data": "X_train, y_train, X_val, y_val",
        "better": "val_acc > best_val",
        "score": "val_acc",
    }
    return _TUNE.format(**{**blanks, **changes})


@misconception(
    exercise="tuning",
    explanation="The net with the best training accuracy is kept. It may be the one that learnt most by "
    "heart: the validation accuracy must choose.",
    hint="Which of the two accuracies does your comparison use?",
)
def chosen_by_training_accuracy() -> str:
    return _tune(better="train_acc > best_val", score="train_acc")


@misconception(
    exercise="tuning",
    explanation="The last net of the search is returned, whichever was the best. So the validation "
    "accuracies choose nothing.",
    hint="When does your best_net change?",
)
def last_net_kept() -> str:
    return _tune(better="True")


@misconception(
    exercise="tuning",
    explanation="All learning rates of the search are too small. Within the iterations that there are, the loss "
    "hardly moves.",
    hint="Look at the loss of your best run: does it still fall at the end? Then the steps are too small.",
)
def learning_rates_too_small() -> str:
    return _tune(rates="(1e-5, 5e-5, 1e-4)")


@misconception(
    exercise="tuning",
    explanation="The nets are trained on the validation data, which should only choose among them. So the "
    "accuracy there says nothing about new data.",
    hint="In which order does train take its four arrays?",
)
def trained_on_the_validation_data() -> str:
    return _tune(data="X_val, y_val, X_train, y_train")


# --- gap_choice ----------------------------------------------------------------------------------------


@misconception(
    exercise="gap_choice",
    explanation="More hidden units are among the statements that were chosen. They do not narrow the gap.",
    hint="Train a small net and a large one on the same data, and compare both accuracies of each.",
)
def more_hidden_units_too() -> str:
    return "gap_answers = {1, 2, 3}"


@misconception(
    exercise="gap_choice",
    explanation="A larger data set narrows the gap. It is not the only one of these that does.",
    hint="Look at each of the other statements by itself again.",
)
def only_more_data() -> str:
    return "gap_answers = {1}"


@misconception(
    exercise="gap_choice",
    explanation="The regulariser narrows the gap. It is not the only one of these that does.",
    hint="Look at each of the other statements by itself again.",
)
def only_regularisation() -> str:
    return "gap_answers = {3}"
