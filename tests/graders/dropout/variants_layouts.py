"""Right solutions of the dropout assignment with caches of their own layouts, or more looks at the training."""

from gradlab_staff.audit import changed, variant


@variant()
def draws_in_the_cache() -> dict[str, str]:
    """The cache holds the uniform draws, and the backward pass compares them with p again."""
    forward = """
def dropout_forward(x, dropout_param):
    p, draws, out = dropout_param["p"], None, x
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "train":
        draws = np.random.rand(*x.shape)
        out = np.where(draws < p, x / p, 0)
    return out.astype(x.dtype, copy=False), (dropout_param, draws)
"""
    backward = """
def dropout_backward(dout, cache):
    dropout_param, draws = cache
    p = dropout_param["p"]
    return dout if dropout_param["mode"] == "test" else np.where(draws < p, dout / p, 0)
"""
    return {"dropout_forward": forward, "dropout_backward": backward}


@variant()
def mask_as_a_list() -> dict[str, str]:
    """The mask is a list of lists."""
    forward = """
def dropout_forward(x, dropout_param):
    p, mask = dropout_param["p"], None
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "train":
        mask = ((np.random.uniform(0, 1, x.shape) < p) / p).tolist()
        x = (x * np.array(mask)).astype(x.dtype)
    return x, (dropout_param, mask)
"""
    backward = """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * np.array(mask) if dropout_param["mode"] == "train" else dout
"""
    return {"dropout_forward": forward, "dropout_backward": backward}


@variant()
def input_and_positions() -> dict[str, str]:
    """The cache is the input, the positions of what was dropped, and p."""
    forward = """
def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "test":
        return x, (x, None, 1.0)
    dropped = np.where(np.random.random(x.shape) >= p)
    out = x / p
    out[dropped] = 0
    return out.astype(x.dtype, copy=False), (x, dropped, p)
"""
    backward = """
def dropout_backward(dout, cache):
    x, dropped, p = cache
    dx = dout / p
    if dropped is not None:
        dx[dropped] = 0
    return dx
"""
    return {"dropout_forward": forward, "dropout_backward": backward}


LAST = "        self.model.params = self.best_params\n"
NOTED = "                self.val_acc_history.append(val_acc)\n"


@variant(exercise="solver")
def solver_with_a_final_report() -> str:
    """After training, accuracies are taken once more, on all examples."""
    report = """        self.say(f"in the end: {self.check_accuracy(self.X_train, self.y_train):.3f}")
        self.final_val_acc = self.check_accuracy(self.X_val, self.y_val)
"""
    return changed(__file__, "solver", (LAST, LAST + report))


@variant(exercise="solver")
def solver_with_a_validation_loss() -> str:
    """The validation loss is noted too."""
    note = "                self.val_losses = [self.model.loss(self.X_val, self.y_val)[0]]\n"
    return changed(__file__, "solver", (NOTED, NOTED + note))
