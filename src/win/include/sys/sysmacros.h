/* SPDX-License-Identifier: Apache-2.0 */
/* All of it is in win/posix.h, which every file of the host side gets first. */
