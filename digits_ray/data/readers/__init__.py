"""Files of images: one short file a format, behind `read_images`."""

from digits_ray.data.readers.image_file import ImageFile, read_images

__all__ = ["ImageFile", "read_images"]
