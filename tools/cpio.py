"""Archives for the boot image: newc cpio, deterministic, with page-aligned file contents.

The content of every regular file begins at a multiple of 4096 bytes from the start of the archive,
so that a kernel can use the archive's pages in place.  The room comes from NUL bytes behind the
entry's name (the name's size counts them), which every reader of newc accepts up to PATH_MAX.  An
archive's end is padded with zeroes to a page too, so that archives can be put one after another."""
import os
import stat

PAGE = 4096
HEADER = 110
NAME_MAX = 4095  # Linux ignores an entry whose name is longer than PATH_MAX, NUL included


class Archive:
    def __init__(self, out):
        self.out = out
        self.offset = 0
        self.ino = 0
        self.dirs = set()

    def _write(self, data):
        self.out.write(data)
        self.offset += len(data)

    def _pad(self, to):
        self._write(bytes(-self.offset % to))

    def _header(self, name, mode, size, nlink, rdev, namesize):
        self.ino += 1
        major, minor = rdev
        fields = (self.ino, mode, 0, 0, nlink, 0, size, 0, 0, major, minor, namesize, 0)
        self._write(b"070701" + b"".join(b"%08X" % f for f in fields))
        raw = os.fsencode(name)
        self._write(raw + bytes(namesize - len(raw)))
        self._pad(4)

    def _entry(self, name, mode, size=0, rdev=(0, 0), align=False):
        namesize = len(os.fsencode(name)) + 1
        if align:
            room = -(self.offset + HEADER + namesize) % PAGE
            if namesize + room > NAME_MAX:
                # Too long a name for this place: an entry without content moves us on.
                self._header(".", stat.S_IFDIR | 0o755, 0, 2, (0, 0), 2 + PAGE // 2)
                room = -(self.offset + HEADER + namesize) % PAGE
            namesize += room
        self._header(name, mode, size, 2 if stat.S_ISDIR(mode) else 1, rdev, namesize)

    def _parents(self, name):
        parent = os.path.dirname(name)
        if parent and parent not in self.dirs:
            self.dir(parent)

    def dir(self, name, mode=0o755):
        name = name.strip("/")
        if not name or name in self.dirs:
            return
        self._parents(name)
        self.dirs.add(name)
        self._entry(name, stat.S_IFDIR | mode)

    def data(self, name, content, mode=0o644):
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, len(content), align=len(content) > 0)
        self._write(content)
        self._pad(4)

    def file(self, name, host, mode=None):
        """A host file; executable bits are kept unless a mode is given."""
        if mode is None:
            mode = 0o755 if os.stat(host).st_mode & 0o111 else 0o644
        with open(host, "rb") as f:
            name = name.strip("/")
            self._parents(name)
            left = os.fstat(f.fileno()).st_size
            self._entry(name, stat.S_IFREG | mode, left, align=left > 0)
            while left:
                piece = f.read(min(left, 1 << 20))
                if not piece:
                    raise OSError(f"{host} became shorter while it was read")
                self._write(piece)
                left -= len(piece)
        self._pad(4)

    def symlink(self, name, target):
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, len(os.fsencode(target)))
        self._write(os.fsencode(target))
        self._pad(4)

    def device(self, name, mode, major, minor):
        name = name.strip("/")
        self._parents(name)
        self._entry(name, mode, rdev=(major, minor))

    def tree(self, name, host):
        """A host file, symlink or folder with all that is in it, in order of name."""
        if os.path.islink(host):
            self.symlink(name, os.readlink(host))
        elif os.path.isdir(host):
            self.dir(name)
            for entry in sorted(os.listdir(host)):
                self.tree(f"{name}/{entry}", os.path.join(host, entry))
        else:
            self.file(name, host)

    def finish(self):
        self._entry("TRAILER!!!", 0)
        self._pad(PAGE)


def write(path, fill):
    """Make the archive `path` with fill(archive); the file is replaced only when complete."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = f"{path}.{os.getpid()}"
    with open(new, "wb") as out:
        archive = Archive(out)
        fill(archive)
        archive.finish()
    os.replace(new, path)
