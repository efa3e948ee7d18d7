# cmake -D INPUT=… -D OUTPUT=… -P embed.cmake: the bytes of a file as an array that a .cc file includes.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(....,....,....,....,....,....,....,....,....,....,....,....,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "${bytes}\n")
