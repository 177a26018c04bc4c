"""Picture formats by the suffix of their files, in Pillow's names."""

# Not all that Pillow knows: some of the rest start other programs, or are not pixels at all.
READ = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
}
WRITTEN = {suffix: name for suffix, name in READ.items() if name in ("PNG", "JPEG", "WEBP", "TIFF")}
