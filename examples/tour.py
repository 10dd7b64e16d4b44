# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of digits_ray
#
# How a computer learns to read digits, from a table of numbers to an ensemble of ten networks. Every idea is shown on
# real images and on a real run, which this notebook trains: about a minute on two cores.
#
# It uses the handwritten digits inside scikit-learn, so nothing is downloaded. With Kaggle's files, set `TRAIN` and
# `TEST` to their paths; all the rest stays as it is, but the run takes longer.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import digits_ray
from digits_ray.config import load_config
from digits_ray.data import load

TRAIN, TEST, OUT = None, None, "runs/tour"

config = load_config("fast", flags={"data.train": TRAIN, "data.test": TEST, "out": OUT})
data = load(config.data)
print(f"{len(data.images):,} labelled images, {len(data.test_images):,} test images")


def show(images, titles=(), columns=10, size=1.1, cmap="gray", **style):
    """Draws images in a grid."""
    rows = -(-len(images) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(columns * size, rows * size * (1.25 if titles else 1)))
    for panel in np.ravel(panels):
        panel.axis("off")
    for panel, image in zip(np.ravel(panels), images):
        panel.imshow(image, cmap=cmap, **style)
    for panel, title in zip(np.ravel(panels), titles):
        panel.set_title(title, fontsize=9)
    figure.tight_layout()


# %% [markdown]
# ## Tensors
#
# A **tensor** is a block of numbers. Its **rank** is the number of its axes, its **shape** the length of each axis, its
# **type** what one number can be. A grey image is a tensor of rank 2: height and width. All images together are one of
# rank 3, and a GPU works on a **batch** of them at once, which is why it is fast.

# %%
number, vector, image, batch = np.array(7), np.arange(5), data.images[0], data.images[:64]
for name, tensor in (("a number", number), ("a vector", vector), ("an image", image), ("a batch", batch)):
    print(f"{name:9} rank {tensor.ndim}  shape {tensor.shape!s:13}  type {tensor.dtype}")

# %% [markdown]
# Arithmetic works on whole tensors, without a loop. Three operations that a network is made of: scaling (each number by
# itself), a mean over one axis (the axis disappears), and a matrix product (each image weighed against each of ten
# patterns).

# %%
scaled = batch / 255.0
flat = scaled.reshape(len(batch), -1)
patterns = np.random.default_rng(0).normal(size=(flat.shape[1], 10))
print("scaled  ", scaled.shape, f"values {scaled.min():g} … {scaled.max():g}")
print("mean    ", scaled.mean(axis=0).shape)
print("product ", (flat @ patterns).shape)

# %% [markdown]
# ## A neuron, and what bends its answer
#
# A **perceptron** (Rosenblatt 1958) multiplies each input by a weight, adds them up and answers yes above a threshold.
# Stacking such sums is pointless by itself: a sum of sums is one sum. What makes a network more than one line is the
# **activation function** between two sums. It bends the line; that is all, and it is enough.

# %%
x = np.linspace(-4, 4, 400)
activations = {
    "sigmoid": 1 / (1 + np.exp(-x)),
    "tanh": np.tanh(x),
    "ReLU": np.maximum(x, 0),
    "leaky ReLU": np.where(x > 0, x, 0.1 * x),
}
figure, panels = plt.subplots(1, 4, figsize=(11, 2.4))
for panel, (name, y) in zip(panels, activations.items()):
    panel.axhline(0, color="0.8", lw=0.8)
    panel.axvline(0, color="0.8", lw=0.8)
    panel.plot(x, y, color="#0072b2")
    panel.set_title(name, fontsize=10)
figure.tight_layout()

# %% [markdown]
# Sigmoid and tanh flatten at both ends: there the slope is nearly 0, and a deep stack of them learns slowly. ReLU has
# slope 1 wherever it is on, costs one comparison, and is what the networks here use.
#
# ## Three kinds of networks
#
# - In a **feed-forward** (dense) network each neuron sees all inputs of the layer before. It does not know that two
#   pixels are neighbours: shuffle the pixels of all images alike, and it learns just as well.
# - A **recurrent** network reads one element after another and carries a memory along. It suits text and sound.
# - A **convolutional** network slides small patterns over the image: a stroke is recognised wherever it lies, with few
#   weights. That is what images are like, so it is what is used here.
#
# ## The data
#
# Look at them before anything else: how many rows has each class, and what do they look like? Nothing is missing: a
# file with an empty pixel is refused when it is read, with its row and column.

# %%
print("rows of each class:", dict(zip(data.classes, np.bincount(data.labels).tolist())))
show([data.images[np.flatnonzero(data.labels == c)[i]] for i in range(3) for c in range(len(data.classes))])

# %% [markdown]
# A grey image is a table of numbers, 0 for black to 255 for white. A colour map decides how they are shown, not what
# they are.

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 5.2))
panels[0].imshow(image, cmap="viridis")
panels[0].axis("off")
panels[1].imshow(image, cmap="gray")
panels[1].axis("off")
for (row, column), value in np.ndenumerate(image):
    if value:
        colour = "black" if value > 127 else "white"
        panels[1].text(column, row, value, ha="center", va="center", fontsize=6, color=colour)
figure.tight_layout()

# %% [markdown]
# ## The run
#
# One call trains it all: it splits the rows, has Ray actors train ten networks, has Ray Tune search three classical
# models, and lets the networks vote. It is resumed where it was stopped: call it again after a kill, or after it has
# ended (then it trains nothing).

# %%
run = digits_ray.run(config)
for kind, scores in (("held-out", run.metrics["ensemble"]["holdout"]), ("test", run.metrics.get("test"))):
    if scores:  # Kaggle's test images have no labels to score
        low, high = (100 * bound for bound in scores["accuracy_ci95"])
        print(f"ensemble: {100 * scores['accuracy']:.2f} % of {scores['rows']} {kind} rows ({low:.2f} to {high:.2f} %)")

# %% [markdown]
# ### Why the held-out rows decide nothing
#
# A tenth of the labelled rows was put aside before training: the **holdout**. The **test** images are yet other rows:
# the run labels them, and learns nothing from them; where their labels are known, they are scored once, at the end. A
# model's accuracy on rows that it has seen says how well it remembers; the holdout says how well it reads. It stays
# true only as long as nobody chooses by it: pick the best of a hundred models by these rows, and the winner is partly
# the luckiest. So searches score on another part, cut from the training rows, and the networks' last weights count, not
# the best.
#
# ## Nearest neighbours, a tree, forests
#
# **k nearest neighbours** learns nothing: it compares an image with every training image and asks the k most similar
# ones. Small k follows every stray image, large k blurs: the search tries them.

# %%
run.plot.search("knn")

# %%
knn = run.trials("knn")
knn.sort_values("accuracy", ascending=False).head(5)

# %% [markdown]
# A **decision tree** asks about one pixel after another. Alone it is poor: it cannot take back a wrong turn. A
# **forest** is many trees, each grown on its own random view of the rows and pixels. Their mistakes differ, so the vote
# is far better than a tree. Remember this: it is the reason for everything below.

# %%
run.plot.search("forest")

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6))
for panel, kind in zip(panels, ("tree", "forest", "knn")):
    matrix = run.confusion(kind).to_numpy()
    panel.imshow(np.sqrt(matrix), cmap="Blues")
    panel.set_title(f"{kind}: {matrix.sum() - np.trace(matrix)} of {matrix.sum()} wrong", fontsize=10)
    panel.set(xlabel="predicted", ylabel="label")
figure.tight_layout()

# %% [markdown]
# A **confusion matrix** counts which class was taken for which. What is right lies on the diagonal.
#
# ## Augmentation
#
# More images than there are: turn, zoom and shift each one a little, anew in every epoch, and it is still the same
# digit. The network never sees the same pixels twice, so it cannot learn them by heart. One image, forty times:

# %%
strength = run.config.members.recipe.augmentation
show(digits_ray.augment(np.repeat(image[None], 40, axis=0), strength))
print(strength)

# %% [markdown]
# ## What the layers do
#
# **Convolution**: a small pattern of weights, the **kernel**, lies over a patch of the image; the products of weights
# and pixels are added up; the kernel moves on. Here with kernels made by hand, as before networks found their own:

# %%
import keras


def convolve(image, kernel, **how):
    """Slides a kernel over one image."""
    values = keras.ops.conv(image[None, :, :, None].astype("float32") / 255, kernel[:, :, None, None], **how)
    return np.asarray(values)[0, :, :, 0]


kernels = {
    "upper edges": np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], "float32"),
    "left edges": np.array([[-1, 0, 1]] * 3, "float32"),
    "blur": np.full((3, 3), 1 / 9, "float32"),
    "outline": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], "float32"),
}
responses = [convolve(image, kernel, padding="same") for kernel in kernels.values()]
show([image, *responses], ["image", *kernels], columns=5, size=2)

# %% [markdown]
# **Stride** is how far the kernel moves: with 2, the result has half the side. **Padding** adds a rim of zeros, so that
# the result is as large as the image; without it, it loses a pixel on each side. **Max pooling** keeps the largest of
# every 2 × 2 values: smaller, and the exact place no longer matters.

# %%
edges = kernels["upper edges"]
pooled = keras.ops.max_pool(responses[0][None, :, :, None], 2)
steps = {
    "padded": responses[0],
    "not padded": convolve(image, edges, padding="valid"),
    "stride 2": convolve(image, edges, padding="same", strides=2),
    "max pooled": np.asarray(pooled)[0, :, :, 0],
}
show([*steps.values()], [f"{name}\n{values.shape[0]} × {values.shape[1]}" for name, values in steps.items()], 4, 2)

# %% [markdown]
# **Batch normalisation** shifts and scales each filter's values to mean 0 and deviation 1 over a batch of images, so
# that no filter drowns the others. Here it is done by hand to two filters' maps of 64 images.
#
# **Dropout** sets a random part of the values to 0 while training, and makes up for it by scaling the rest: no neuron
# can rely on one other. When the network predicts, nothing is dropped.

# %%
pair = np.stack([kernels["upper edges"], kernels["blur"]], axis=-1)[:, :, None, :]  # (3, 3, 1 channel, 2 filters)
maps_of_batch = np.asarray(keras.ops.conv(scaled[..., None].astype("float32"), pair))
over_batch = {"axis": (0, 1, 2), "keepdims": True}  # images, height, width: each filter by itself
normalised = (maps_of_batch - maps_of_batch.mean(**over_batch)) / maps_of_batch.std(**over_batch)
dropped = np.asarray(keras.layers.Dropout(0.4, seed=1)(responses[0], training=True))
for number, name in enumerate(("upper edges", "blur")):
    before, after = maps_of_batch[..., number], normalised[..., number]
    print(f"{name:11} before: mean {before.mean().round(2) + 0:5.2f}, deviation {before.std():.2f}")
    print(f"{name:11} after:  mean {abs(after.mean()):5.2f}, deviation {after.std():.2f}")
show([responses[0], dropped], ["before dropout", "40 % dropped"], columns=2, size=2.2)

# %% [markdown]
# ## One network
#
# Member 0 of the run. The first layer takes raw pixels; the last is a **softmax**, ten numbers that sum to 1.

# %%
network = run.model(0)
network.summary(expand_nested=True)

# %% [markdown]
# The notebook that this project began with used a larger network, three blocks of three convolutions, and halved its
# **learning rate** (how far one step goes) whenever training stood still, on a **plateau**. `digits-ray run --preset
# notebook` is that recipe. The default uses one cycle instead: up, then down to 0, planned before the start.

# %%
history = run.history()
figure, panels = plt.subplots(1, 3, figsize=(11, 2.8))
for panel, column in zip(panels, ("learning_rate", "loss", "accuracy")):
    for _, member in history.groupby("member"):
        panel.plot(member.epoch, member[column], color="#0072b2", alpha=0.4, lw=1)
    panel.set(xlabel="epoch", title=column.replace("_", " "))
figure.tight_layout()

# %% [markdown]
# Training accuracy is measured on augmented images, which are harder than the holdout's. If it lay far above the
# holdout's, the network would be learning by heart: **overfitting**.

# %%
run.plot.training_and_holdout()

# %% [markdown]
# ### What it sees
#
# Each filter of a layer makes a **feature map** of the image: bright where it has found its pattern. The first layer
# finds edges; the last ones are small, and each stands for something that no longer looks like a stroke.

# %%
maps = {name: values for name, values in run.feature_maps(image).items() if "conv" in name}
for name, values in maps.items():
    show([image, *np.moveaxis(values, -1, 0)[:9]], [f"{name}, {values.shape[0]} × {values.shape[1]}"])

# %%
run.plot.confusion(0)

# %% [markdown]
# ## Ten networks
#
# All ten have the same layers and the same rows. They differ by their random seed alone: first weights, order of the
# rows, augmentation. That is enough for their mistakes to differ.

# %%
run.leaderboard()

# %%
run.plot.agreement()

# %% [markdown]
# The vote is the mean of their probabilities. Where one network errs, the others usually do not, and outvote it. Below
# is the vote's accuracy with more and more members. Few rows make it rough, and a single network may rank above the
# vote by luck. On Kaggle's 4,200 held-out rows it is smooth, rises quickly at first, and then hardly at all.

# %%
run.plot.ensemble_size()

# %% [markdown]
# The images that divide the networks most. Look at them: would you be sure?

# %%
run.plot.votes()

# %% [markdown]
# ## The submission
#
# The vote's most probable class of each test image, as Kaggle takes it. Nothing about the test images was used before.

# %%
test_labels = run.predict(data.test_images[:10])
show(data.test_images[:10], [str(label) for label in test_labels])

# %%
print(*Path(run.path, "submission.csv").read_text().splitlines()[:5], sep="\n")

# %% [markdown]
# ## The same on a GPU and on a cluster
#
# Nothing above knows where it runs. On a machine with a GPU the same call trains on it, two networks at a time. On a
# cluster, `digits-ray run --address HEAD:6379 --members 24` hands members to every node; one that is lost goes on
# elsewhere from its last saved epoch. `digits-ray submit` runs it as a Ray job, and `digits-ray doctor` says what a
# machine lacks.
#
# ## Where to go on
#
# - `runs/tour/report.html`: this run, in one page
# - `docs/usage.md`: your own files and arrays, prediction, what is written
# - `docs/methodology.md`: why an accuracy here can be trusted
# - `docs/negative-results.md`: what was tried and did not help
