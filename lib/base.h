/*
 * base: the words every file may use.  Layer 0.
 *
 * Only what C11 leaves out: array length, minimum and maximum, printf checking.  No types of the
 * domain, no I/O.
 */
#ifndef LEAKWATCH_BASE_H
#define LEAKWATCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* The compiler checks the arguments of fmt (the f-th parameter) from the a-th on. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define NORETURN __attribute__((noreturn))

/* Version of the program, shown by --version and in the build info metric. */
#ifndef LEAKWATCH_VERSION
#define LEAKWATCH_VERSION "0.1.0"
#endif

#endif
