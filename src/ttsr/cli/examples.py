"""The examples at the end of each command's help. The tests run them."""

EXAMPLES = {
    "ttsr": {
        "One picture, to small_x4.png": "ttsr upscale small.jpg --ref sharp.jpg",
        "The options of a command, and more examples": "ttsr upscale --help",
    },
    "upscale": {
        "One picture, to small_x4.png": "ttsr upscale small.jpg --ref sharp.jpg",
        "A folder of pictures, with two references": "ttsr upscale scans/ --ref a.jpg --ref b.jpg --out results/",
        "With the photos of a folder that show the same thing": "ttsr upscale small.jpg --ref photos/",
        "How long it will take, and how much memory": "ttsr upscale small.jpg --ref sharp.jpg --plan",
        "A film, with its sound, to film_x4.mp4": "ttsr upscale film.mp4 --ref sharp.jpg",
        "With maps of where it came from": "ttsr upscale small.jpg --ref sharp.jpg --maps maps/",
    },
    "compare": {
        "With and without a reference, on small_compared.html": "ttsr compare small.jpg --ref sharp.jpg",
        "With scores": "ttsr compare small.jpg --ref a.jpg --ref b.jpg --truth sharp.jpg -o page.html",
    },
    "evaluate": {
        "The default model, with the most similar reference": "ttsr evaluate CUFED5/",
        "With and without one, as a page": "ttsr evaluate CUFED5/ --reference 1 --reference none --html report.html",
    },
    "web": {
        "The page, in the browser": "ttsr web",
        "For other machines too: the address has a token": "ttsr web --host 0.0.0.0 --no-browser",
    },
    "serve": {
        "On this machine, until Ctrl-C": "ttsr serve",
        "Two jobs at a time, of which ten may wait": "ttsr serve --port 0 --workers 2 --queue 10",
    },
    "train": {
        "Twenty steps, to see that everything runs": "ttsr train debug --data photos/",
        "On your photos, for two hours": "ttsr train ttsr-lite --data photos/ --photos.only_open false --max-time 7200",
        "To start, and to go on where it was stopped": "ttsr train debug --data photos/ --out run/ --resume",
    },
    "recipes": {
        "All recipes of the package": "ttsr recipes",
        "One of them as a file to change": "ttsr recipes ttsr-lite > mine.yaml",
    },
    "pairs": {
        "Pairs for training, from photos of the same things": "ttsr pairs photos/ pairs/",
        "Fewer of a pair of photos, from smaller copies": "ttsr pairs photos/ pairs/ --per-pair 2 --longest-side 1600",
    },
    "pack": {
        "Photos in one file, at most 1600 pixels wide or high": "ttsr pack photos/ photos.zip --max-side 1600",
        "Smaller still, as JPEG of quality 90": "ttsr pack photos/ photos.zip --quality 90 --overwrite",
    },
    "convert": {
        "To the layout of the authors' code": "ttsr convert model.safetensors TTSR.pt",
        "A checkpoint of MMagic to ours, in 16 bits": "ttsr convert ttsr-rec.pth rec.safetensors --half",
    },
    "export": {
        "For onnxruntime": "ttsr export --model model.safetensors --out onnx/",
        "For PyTorch without ttsr": "ttsr export --model model.safetensors --format torch --out pt2/",
    },
    "info": {
        "For people": "ttsr info",
        "For programs": "ttsr info --json",
    },
    "completion": {
        "For this bash": "source <(ttsr completion bash)",
        "For every bash to come": "ttsr completion bash > ~/.local/share/bash-completion/completions/ttsr",
        "For zsh, where this folder is in $fpath": "ttsr completion zsh > ~/.zfunc/_ttsr",
        "For fish": "ttsr completion fish > ~/.config/fish/completions/ttsr.fish",
    },
}


def examples(command: str) -> str:
    """The examples of a command, in Markdown: what each does, and the command line below it."""
    return "Examples:\n\n" + "\n".join(f"- {what}:\\\n  `{line}`" for what, line in EXAMPLES[command].items())
