# The store of format 2: its library and its tests.
set(store2_sources fault_guard.cpp file_map.cpp page_reader.cpp role_table.cpp store2.cpp)
list(TRANSFORM store2_sources PREPEND ${PROJECT_SOURCE_DIR}/src/store/)
list(APPEND store2_sources ${PROJECT_SOURCE_DIR}/src/core/record2.cpp)
add_library(token_auth_store2 STATIC ${store2_sources})
target_compile_options(token_auth_store2 PRIVATE -fno-exceptions -fno-rtti)
target_include_directories(token_auth_store2 PUBLIC ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(token_auth_store2 PUBLIC token_auth_core)

# LMDB files that tests write.
add_library(token_auth_lmdb_file STATIC lmdb_file.cpp)
target_compile_features(token_auth_lmdb_file PUBLIC cxx_std_20)
target_link_libraries(token_auth_lmdb_file PUBLIC PkgConfig::LMDB)

foreach(unit record2 record2_damage)
  add_executable(test_${unit} test_${unit}.cpp)
  target_link_libraries(test_${unit} PRIVATE token_auth_store2 token_auth_lmdb_file
    PkgConfig::CMOCKA)
  add_test(NAME unit_${unit} COMMAND test_${unit})
endforeach()

foreach(property record2 page_reader)
  add_executable(property_${property} property_${property}.cpp)
  target_link_libraries(property_${property} PRIVATE token_auth_store2 token_auth_lmdb_file
    rapidcheck)
  add_test(NAME property_${property} COMMAND property_${property})
endforeach()

# Readers beside a writer; the second one leaves out the check that the protocol stands on.
add_library(token_auth_store_file STATIC store_file.cpp)
target_link_libraries(token_auth_store_file PUBLIC token_auth_store2 token_auth_lmdb_file)
foreach(program read_beside_writer read_unvalidated)
  add_executable(${program} read_beside_writer.cpp)
  target_link_libraries(${program} PRIVATE token_auth_store_file)
endforeach()
target_compile_definitions(read_unvalidated PRIVATE TOKEN_AUTH_TEST_WITHOUT_VALIDATION)
add_test(NAME read_beside_writer COMMAND read_beside_writer 1000000)
add_test(NAME read_unvalidated COMMAND read_unvalidated 1000000 --must-fail)
