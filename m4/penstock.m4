# SPDX-License-Identifier: ISC
# PENSTOCK_LIBRARY(VARIABLE, MODULES, DEBIAN-PACKAGE)
# A required library, found by pkg-config; its absence names the package to install.
AC_DEFUN([PENSTOCK_LIBRARY],
[PKG_CHECK_MODULES([$1], [$2], [],
	[AC_MSG_ERROR([$2 is missing: apt install $3])])
PENSTOCK_DEPS_CFLAGS="$PENSTOCK_DEPS_CFLAGS $$1_CFLAGS"
PENSTOCK_DEPS_LIBS="$PENSTOCK_DEPS_LIBS $$1_LIBS"
AC_SUBST([PENSTOCK_DEPS_CFLAGS])
AC_SUBST([PENSTOCK_DEPS_LIBS])])

# PENSTOCK_TRY_LINK(FLAGS, IF-TRUE, IF-FALSE)
# Does a small program build without a warning with FLAGS?
AC_DEFUN([PENSTOCK_TRY_LINK],
[penstock_saved_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror $1"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("");]])],
	[penstock_links=yes], [penstock_links=no])
CFLAGS=$penstock_saved_CFLAGS
AS_IF([test "$penstock_links" = yes], [$2], [$3])])

# PENSTOCK_CFLAGS(VARIABLE, FLAGS)
# Collects in VARIABLE those of FLAGS which the compiler takes.
AC_DEFUN([PENSTOCK_CFLAGS],
[$1=
for penstock_flag in m4_normalize([$2]); do
	AC_MSG_CHECKING([whether $CC takes $penstock_flag])
	PENSTOCK_TRY_LINK([$penstock_flag],
		[AC_MSG_RESULT([yes]); $1="$$1 $penstock_flag"],
		[AC_MSG_RESULT([no])])
done
AC_SUBST([$1])])

# PENSTOCK_LDFLAGS(VARIABLE, FLAGS)
# The same for the linker; position independent code is on while asking.
AC_DEFUN([PENSTOCK_LDFLAGS],
[$1=
for penstock_flag in m4_normalize([$2]); do
	AC_MSG_CHECKING([whether the linker takes $penstock_flag])
	PENSTOCK_TRY_LINK([-fPIE $penstock_flag],
		[AC_MSG_RESULT([yes]); $1="$$1 $penstock_flag"],
		[AC_MSG_RESULT([no])])
done
AC_SUBST([$1])])
