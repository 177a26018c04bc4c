"""Registration: the homography between two photos of the same thing, from SIFT keypoints. It knows no data sets."""

from ttsr.registration.estimate import (
    Registration as Registration,
    estimate_homography as estimate_homography,
    match_descriptors as match_descriptors,
    register as register,
)
from ttsr.registration.keypoints import (
    Keypoints as Keypoints,
    find_keypoints as find_keypoints,
)
