# cmake -DIN=file -DOUT=header -DID=name -P embed.cmake: the file as a string_view constant.
file(READ ${IN} text)
file(WRITE ${OUT}.new "#pragma once\n#include <string_view>\ninline constexpr std::string_view ${ID} = R\"hf~(${text})hf~\";\n")
file(RENAME ${OUT}.new ${OUT})
