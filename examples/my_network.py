"""A network of your own: a torch module from x (n, features) to logits (n, classes)."""

from torch import nn


class Net(nn.Module):
    """One hidden layer; width can be given in the name."""

    def __init__(self, features, classes, width=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, x):
        """Return logits (n, classes)."""
        return self.layers(x)
