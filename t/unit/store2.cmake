# The store of format 2: its library and its tests.
add_library(token_auth_store STATIC
  ${PROJECT_SOURCE_DIR}/src/core/address.cpp
  ${PROJECT_SOURCE_DIR}/src/core/record.cpp
  ${PROJECT_SOURCE_DIR}/src/core/record2.cpp
  ${PROJECT_SOURCE_DIR}/src/core/text.cpp)
target_compile_features(token_auth_store PUBLIC cxx_std_17)
target_compile_options(token_auth_store PRIVATE -fno-exceptions -fno-rtti)
target_include_directories(token_auth_store PUBLIC ${PROJECT_SOURCE_DIR}/include
  ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(token_auth_store PUBLIC OpenSSL::Crypto)

foreach(unit record2 record2_damage)
  add_executable(test_${unit} test_${unit}.cpp)
  target_compile_features(test_${unit} PRIVATE cxx_std_20)
  target_link_libraries(test_${unit} PRIVATE token_auth_store PkgConfig::CMOCKA)
  add_test(NAME unit_${unit} COMMAND test_${unit})
endforeach()

foreach(property record2)
  add_executable(property_${property} property_${property}.cpp)
  target_compile_features(property_${property} PRIVATE cxx_std_20)
  target_link_libraries(property_${property} PRIVATE token_auth_store rapidcheck)
  add_test(NAME property_${property} COMMAND property_${property})
endforeach()
