// Included before everything else in a build with ThreadSanitizer. There, protobuf's map_field.h
// gives MapFieldBase two members more than it has in the libprotobuf that Debian ships, so that the
// library would look for every later member in the wrong place. Nothing else in protobuf's headers
// asks for __SANITIZE_THREAD__ in a way that changes a layout.
#pragma once

#include <cstddef>  // libstdc++ asks for the macro once, here: its own annotations stay.

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")
