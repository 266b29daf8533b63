"""Wrong solutions that no rule of syntax makes from the instructor's: plausible, each against the notebook's words."""

from gradlab_staff.audit import changed, mistake

# --- dropout_forward -----------------------------------------------------------------------------------

FORWARD = """
def dropout_forward(x, dropout_param):
    mode, p = dropout_param["mode"], dropout_param["p"]
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    mask, out = None, x
    if mode == "train":
{draw}
        out = x * mask
    return out, (dropout_param, mask)
"""


def forward(draw):
    lines = draw.strip("\n").splitlines()
    return FORWARD.format(draw="\n".join(f"        {line}" for line in lines))


@mistake(exercise="dropout_forward")
def exact_count():
    """Keeps exactly p of all entries."""
    return forward("""
kept = np.zeros(x.size)
kept[np.random.permutation(x.size)[: round(p * x.size)]] = 1.0
mask = kept.reshape(x.shape) / p
""")


@mistake(exercise="dropout_forward")
def exact_count_per_row():
    """Keeps equally many entries of each row."""
    return forward("""
ranks = np.random.rand(*x.shape).argsort(axis=-1).argsort(axis=-1)
mask = (ranks < round(p * x.shape[-1])) / p
""")


@mistake(exercise="dropout_forward")
def mask_kept_in_param():
    """Keeps the mask in dropout_param, and uses it again."""
    return forward("""
mask = dropout_param.get("mask")
if mask is None or mask.shape != x.shape:
    mask = dropout_param["mask"] = (np.random.rand(*x.shape) < p) / p
""")


@mistake(exercise="dropout_forward")
def p_overwritten_at_test():
    """Test mode sets p to 1 for good."""
    old = 'mode, p = dropout_param["mode"], dropout_param["p"]\n'
    lost = '    if mode == "test":\n        dropout_param["p"] = 1.0\n'
    return forward("mask = (np.random.rand(*x.shape) < p) / p").replace(old, old + lost)


@mistake(exercise="dropout_forward")
def seed_popped():
    """Takes the seed out of dropout_param."""
    source = forward("mask = (np.random.rand(*x.shape) < p) / p")
    return source.replace('np.random.seed(dropout_param["seed"])', 'np.random.seed(dropout_param.pop("seed"))')


@mistake(exercise="dropout_forward")
def seed_zero_ignored():
    """Takes a seed of 0 for none."""
    source = forward("mask = (np.random.rand(*x.shape) < p) / p")
    return source.replace('dropout_param.get("seed") is not None', 'dropout_param.get("seed")')


@mistake(exercise="dropout_forward")
def cache_holds_the_output():
    """Leaves out in the place of the mask: a kept entry that was 0 counts as dropped."""
    source = forward("mask = (np.random.rand(*x.shape) < p) / p")
    return source.replace("return out, (dropout_param, mask)", "return out, (dropout_param, (out != 0) / p)")


# --- dropout_backward ----------------------------------------------------------------------------------


@mistake(exercise="dropout_backward")
def mask_consumed():
    """Multiplies the cache's mask itself."""
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    mask *= dout
    return mask
"""


@mistake(exercise="dropout_backward")
def nothing_at_one():
    """Gives no gradient where p is 1."""
    return """
def dropout_backward(dout, cache):
    dropout_param, mask = cache
    if dropout_param["mode"] == "test":
        return dout
    return dout * mask * (dropout_param["p"] < 1)
"""


# --- fully_connected_net -------------------------------------------------------------------------------

REGULARISED = """            loss += 0.5 * self.reg * np.sum(W * W)
            grads[f"W{layer}"] += self.reg * W
"""
LAYER = """            W, b = self.params[f"W{layer}"], self.params[f"b{layer}"]
            hidden, block"""


@mistake(exercise="fully_connected_net")
def weights_scaled_in_place():
    """The regulariser's gradient is made in the weights themselves."""
    scaled = """            loss += 0.5 * self.reg * np.sum(W * W)
            if self.reg:
                W *= self.reg
                grads[f"W{layer}"] += W
"""
    return changed(__file__, "fully_connected_net", (REGULARISED, scaled))


@mistake(exercise="fully_connected_net")
def scores_kept_in_params():
    """Each forward pass adds an entry to params."""
    last = '        scores, last_cache = affine_forward(hidden, self.params[f"W{last}"], self.params[f"b{last}"])\n'
    return changed(__file__, "fully_connected_net", (last, last + '        self.params["scores"] = scores\n'))


@mistake(exercise="fully_connected_net")
def more_gradients():
    """grads holds the gradient of the input too."""
    return changed(__file__, "fully_connected_net", (REGULARISED, REGULARISED + '        grads["X"] = dhidden\n'))


@mistake(exercise="fully_connected_net")
def layers_sorted_by_name():
    """Takes the layers in the order of their names: W10 before W2."""
    by_name = """            name = sorted(key for key in self.params if key[0] == "W")[layer - 1]
            W, b = self.params[name], self.params["b" + name[1:]]
            hidden, block"""
    return changed(__file__, "fully_connected_net", (LAYER, by_name))


@mistake(exercise="fully_connected_net")
def one_digit_regularised():
    """Regularises the first nine layers."""
    return changed(
        __file__,
        "fully_connected_net",
        ("for layer in range(1, last + 1):", "for layer in range(1, min(last, 9) + 1):"),
    )


# --- update_rules --------------------------------------------------------------------------------------


@mistake(exercise="update_rules")
def shared_default():
    """A default config that all calls share."""
    return changed(__file__, "update_rules", ("def adam(w, dw, config=None):", "def adam(w, dw, config={}):"))


@mistake(exercise="update_rules")
def gradient_clipped():
    """Momentum clips the gradient at 5."""
    line = '    config["velocity"] = config["momentum"] * config["velocity"]'
    return changed(__file__, "update_rules", (line, "    dw = np.clip(dw, -5, 5)\n" + line))


# --- solver --------------------------------------------------------------------------------------------

BETTER = "if val_acc > self.best_val_acc:"


@mistake(exercise="solver")
def best_at_the_end_of_an_epoch_only():
    """The parameters after the first iteration are never the best."""
    return changed(__file__, "solver", (BETTER, "if epoch_ends and val_acc > self.best_val_acc:"))


@mistake(exercise="solver")
def better_than_the_last():
    """Compares with the accuracy before, and not with the best so far."""
    return changed(__file__, "solver", (BETTER, "if val_acc >= self.val_acc_history[-2:][0]:"))


# --- regularization_experiment -------------------------------------------------------------------------

NET, CONFIG = "dropout=dropout)\n", '{"learning_rate": 5e-4}'


@mistake(exercise="regularization_experiment")
def nets_with_a_seed():
    """Each step of training draws the same masks."""
    return changed(__file__, "regularization_experiment", (NET, "dropout=dropout, seed=231)\n"))


@mistake(exercise="regularization_experiment")
def other_weights_with_dropout():
    """The net with dropout starts from smaller weights."""
    return changed(
        __file__, "regularization_experiment", (NET, "dropout=dropout, weight_scale=5e-3 if dropout < 1 else 1e-2)\n")
    )


@mistake(exercise="regularization_experiment")
def regularised_by_more():
    """The nets have an L2 term too."""
    return changed(__file__, "regularization_experiment", (NET, "dropout=dropout, reg=0.1)\n"))


@mistake(exercise="regularization_experiment")
def other_betas():
    """Adam with other betas than its own."""
    return changed(
        __file__, "regularization_experiment", (CONFIG, '{"learning_rate": 5e-4, "beta1": 0.5, "beta2": 0.9}')
    )
