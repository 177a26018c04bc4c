import pickle

from ttsr.errors import ImageError, UserError


def test_an_error_says_what_and_how_to_mend_and_survives_another_process():
    error = ImageError("a.png: is a folder", "name a file")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.what, copy.remedy, str(copy)) == (
        "a.png: is a folder",
        "name a file",
        "a.png: is a folder: name a file",
    )
    assert str(UserError("no such file")) == "no such file"
