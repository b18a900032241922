# gdb for Tern: started by tools/gdb.  The kernel's symbols are there at once; servers and programs
# share addresses, so theirs are loaded on demand:
#
#   server vfs      the symbols of user/servers/vfs
#   program hello   the symbols of a program of user/programs or test/guest/programs; the demos are `demo`
#   kernel-only     the kernel's alone again
set confirm off
set pagination off
set architecture riscv:rv64

define kernel-only
	python gdb.execute("symbol-file " + tern_build + "/kernel/tern.elf")
end
document kernel-only
Only the kernel's symbols.
end

python
import os

def tern_add(folders, name):
    for folder in folders:
        path = os.path.join(tern_build, folder, name)
        if os.path.exists(path):
            gdb.execute("symbol-file " + tern_build + "/kernel/tern.elf")
            gdb.execute("add-symbol-file " + path)
            return
    print("not built: " + name)

class Server(gdb.Command):
    "server NAME: load the symbols of a server."
    def __init__(self):
        super().__init__("server", gdb.COMMAND_FILES)
    def invoke(self, name, tty):
        tern_add(["servers/boot", "servers/bench"], name.strip())

class Program(gdb.Command):
    "program NAME: load the symbols of a program."
    def __init__(self):
        super().__init__("program", gdb.COMMAND_FILES)
    def invoke(self, name, tty):
        tern_add(["programs/bin", "programs/sbin", "programs/test", "programs/bench"], name.strip())

Server()
Program()
end
kernel-only
target remote localhost:1234
