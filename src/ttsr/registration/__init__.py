"""Registration: the homography between two photos of the same thing, from SIFT keypoints. It knows no data sets."""

from ttsr.registration.estimate import Registration, estimate_homography, match_descriptors, register
from ttsr.registration.keypoints import Keypoints, find_keypoints, require_scikit_image

__all__ = [
    "Keypoints",
    "Registration",
    "estimate_homography",
    "find_keypoints",
    "match_descriptors",
    "register",
    "require_scikit_image",
]
