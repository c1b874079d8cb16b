/* libpng (images) and zlib (.npz, .gz): read on the host only. */
#include <png.h>
#include <zlib.h>
