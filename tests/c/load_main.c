/* load LIBRARY: loads it as a JVM does, and unloads it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

    if (!library) {
        const char *why = argc == 2 ? dlerror() : "load LIBRARY";
        printf("not ok the library is loaded\n%s\n", why ? why : "");
        return 1;
    }
    printf("ok the library is loaded\n");
    int wrong = 0;
    static const char *const shown[] = {"JNI_OnLoad", "JNI_OnUnload"};
    for (int i = 0; i < 2; i++) {
        int found = dlsym(library, shown[i]) != NULL;
        printf("%s %s is found\n", found ? "ok" : "not ok", shown[i]);
        wrong |= !found;
    }
    int unloaded = dlclose(library) == 0;
    printf("%s it is unloaded\n", unloaded ? "ok" : "not ok");
    return wrong || !unloaded;
}
