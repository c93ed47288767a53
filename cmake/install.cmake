# `cmake --install`: the two programs, the man page, completions and the systemd unit, as configured.
if(NOT TARGET pmx OR NOT TARGET pmx-keeper)
  return()
endif()

# pmx-keeper is found beside pmx: both go to the same directory.
install(TARGETS pmx pmx-keeper RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Man page and completions come from the program's own tables: `pmx docs man`, `pmx completion <shell>`.
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/pmx.1 COMMAND pmx docs man > ${PROJECT_BINARY_DIR}/pmx.1
                   DEPENDS pmx VERBATIM)
install(FILES ${PROJECT_BINARY_DIR}/pmx.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
set(generated ${PROJECT_BINARY_DIR}/pmx.1)
foreach(shell bash zsh fish)
  set(file ${PROJECT_BINARY_DIR}/completions/pmx.${shell})
  add_custom_command(OUTPUT ${file}
                     COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completions
                     COMMAND pmx completion ${shell} > ${file}
                     DEPENDS pmx VERBATIM)
  list(APPEND generated ${file})
endforeach()
add_custom_target(generated_data ALL DEPENDS ${generated})
set(data ${CMAKE_INSTALL_DATADIR})
install(FILES ${PROJECT_BINARY_DIR}/completions/pmx.bash
        DESTINATION ${data}/bash-completion/completions RENAME pmx)
install(FILES ${PROJECT_BINARY_DIR}/completions/pmx.zsh
        DESTINATION ${data}/zsh/site-functions RENAME _pmx)
install(FILES ${PROJECT_BINARY_DIR}/completions/pmx.fish
        DESTINATION ${data}/fish/vendor_completions.d RENAME pmx.fish)

install(FILES ${PROJECT_SOURCE_DIR}/config/ecosystem.schema.json ${PROJECT_SOURCE_DIR}/config/pmx.yaml
        DESTINATION ${data}/pmx)
configure_file(${PROJECT_SOURCE_DIR}/config/pmx.service ${PROJECT_BINARY_DIR}/pmx.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pmx.service DESTINATION lib/systemd/system)
