/* What <jni.h> wants to know of the machine. A JDK for Linux brings only its own. */
#ifndef HB_JNI_MD_H
#define HB_JNI_MD_H

#define JNIEXPORT __declspec(dllexport)
#define JNIIMPORT __declspec(dllimport)
#define JNICALL __stdcall

typedef int jint;
typedef long long jlong;
typedef signed char jbyte;

#endif
