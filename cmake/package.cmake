# What is installed, and the packages: `make package` makes a .deb and a tarball of it.
include(GNUInstallDirs)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS messina messina-sim RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# The manual page and the completions come out of the program itself.
set(_generated ${CMAKE_BINARY_DIR}/generated)
set(_pages)
foreach(_kind man bash zsh fish)
  add_custom_command(
    OUTPUT ${_generated}/messina.${_kind}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${_generated}
    COMMAND $<TARGET_FILE:messina> generate ${_kind} > ${_generated}/messina.${_kind}
    DEPENDS messina VERBATIM)
  list(APPEND _pages ${_generated}/messina.${_kind})
endforeach()
add_custom_command(
  OUTPUT ${_generated}/messina.1.gz
  COMMAND gzip -9nc ${_generated}/messina.man > ${_generated}/messina.1.gz
  DEPENDS ${_generated}/messina.man VERBATIM)
add_custom_target(messina_pages DEPENDS ${_pages} ${_generated}/messina.1.gz)

install(FILES ${_generated}/messina.1.gz DESTINATION share/man/man1 OPTIONAL)
install(FILES ${_generated}/messina.bash DESTINATION share/bash-completion/completions RENAME messina OPTIONAL)
install(FILES ${_generated}/messina.zsh DESTINATION share/zsh/vendor-completions RENAME _messina OPTIONAL)
install(FILES ${_generated}/messina.fish DESTINATION share/fish/vendor_completions.d OPTIONAL)
install(FILES packaging/messina@.service DESTINATION lib/systemd/system)
install(FILES README.md CHANGELOG.md DESTINATION share/doc/messina)
install(FILES LICENSE DESTINATION share/doc/messina RENAME copyright)
install(DIRECTORY docs DESTINATION share/doc/messina)
install(FILES demo/copy.sh demo/movies.jsonl demo/LICENSE.movies DESTINATION share/doc/messina/demo)

set(CPACK_PACKAGE_NAME messina)
set(CPACK_PACKAGE_VENDOR "the messina project")
set(CPACK_PACKAGE_CONTACT "the messina project <messina@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "moves live DynamoDB tables to ScyllaDB, and proves that they arrived")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
# The libraries that the programs were linked with, by dpkg-shlibdeps; certificates to check AWS's by.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
include(CPack)
